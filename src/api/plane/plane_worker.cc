#include "api/plane/plane_worker.h"

#include <algorithm>

#include "api/plane/gate.h"
#include "plane/claims.h"
#include "plane/keeper.h"

namespace writ::api {

using plane::Answer;
using plane::Refusal;

namespace {

/// Never longer, so that a jump of the clock or one set by a test is seen.
constexpr Millis kLongestSleep{1000};
constexpr Millis kChoreRetry{60000};
constexpr Millis kTidyAfter{50};

Refusal InDoubt(const Error& error) {
  return {.status = 503, .error = "the plane has stopped serving: its store is in doubt and must be opened again", .cause = error.what};
}

PlaneReply Unstored(const Error& error) {
  PlaneReply reply = ReplyFor(plane::FromError({Code::kUnavailable, error.what}));
  if (error.code == Code::kCorrupt) reply = ReplyFor(InDoubt(error));
  if (error.code == Code::kExhausted) reply = ReplyFor(plane::FromError(error));
  return reply;
}

/// What a waiting call waits for: a run's end, or something in a pool, whose name has no slash.
bool IsRun(std::string_view what) { return what.starts_with('/'); }

PlaneReply NothingClaimed() { return {.body = R"({"empty":true})"}; }

}  // namespace

void Job::SendAnswer() {
  switch (kind) {
    case Kind::kCall:
    case Kind::kAdmit: reply(*std::move(answer)); break;
    case Kind::kMayUpload:
    case Kind::kFollow:
      refused(answer->status == 200 ? std::nullopt : std::move(answer));
      break;
    case Kind::kWork:
      if (answer->status == 200) done({});
      else done(plane::Plain(answer->status, answer->cause.empty() ? answer->body : answer->cause));
      break;
  }
}

/// Calls that share a transaction.
struct PlaneWorker::Group {
  WallTime now;
  MonoTime mono;
  std::unique_ptr<storage::Transaction> transaction{};
  std::vector<std::unique_ptr<plane::Change>> changes{};  ///< that are to be stored, in order
  std::vector<std::unique_ptr<Job>> answered{};
  bool touched = false;
};

PlaneWorker::PlaneWorker(plane::Core& core) : core_(core) {
  chores_due_.assign(PlaneChores().size(), core_.clock.Mono());
  core_.chains.Watch(&followers_);
  core_.queued = [this](std::string_view pool) {
    if (std::ranges::find(happened_, pool) == happened_.end()) happened_.emplace_back(pool);
  };
  core_.waits_no_more = [this](std::string_view runner) { waits_no_more_.emplace_back(runner); };
  core_.ended = [this](std::string_view run_id) {
    if (auto run = fmt::format("/{}", run_id); waiting_.Has(run)) happened_.push_back(std::move(run));
    followers_.RunEnded(run_id);
    logs_.Forget(run_id);
  };
  logs_.Watch([this](std::string_view run_id, const LogPiece& piece) { followers_.Wrote(run_id, piece); });
}

PlaneWorker::~PlaneWorker() {
  Stop(Deadline::Never());
  if (thread_.joinable()) thread_.join();
}

void PlaneWorker::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool PlaneWorker::Post(std::unique_ptr<Job>& job) {
  {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = job->call.body.size();
    if (stopping_ || inbox_.size() >= kInboxMax || (inbox_bytes_ + bytes > kInboxBytesMax && !inbox_.empty())) return false;
    inbox_bytes_ += bytes;
    inbox_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

bool PlaneWorker::Stop(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) ended_ = true;
  stopping_ = true;
  wake_.notify_one();
  if (deadline.never()) {
    finished_.wait(lock, [&] { return ended_; });
    return true;
  }
  return finished_.wait_until(lock, deadline.when(), [&] { return ended_; });
}

std::optional<MonoTime> PlaneWorker::NextOver() const {
  std::optional<MonoTime> over = core_.leases.NextEnd();
  if (const auto queue = core_.queue.NextEnd(); queue && (!over || *queue < *over)) over = queue;
  if (!over) return over;
  return std::max(*over + kGather, over_not_before_);
}

std::optional<MonoTime> PlaneWorker::NextDue() const {
  if (in_doubt_) return std::nullopt;
  std::optional<MonoTime> due = NextOver();
  const auto take = [&](std::optional<MonoTime> other) {
    if (other && (!due || *other < *due)) due = other;
  };
  take(core_.look_again);
  for (const auto& chore : chores_due_) take(chore);
  take(waiting_.NextEnd());
  return due;
}

std::vector<std::unique_ptr<Job>> PlaneWorker::Collect() {
  const auto due = NextDue();
  bool idle_enough = false;
  if (tidy_wanted_ && !in_doubt_ && happened_.empty()) {
    // It waits for the disk: not between two calls of one run.
    std::unique_lock lock(mutex_);
    Millis quiet = kTidyAfter;
    if (due) quiet = std::clamp(std::chrono::ceil<Millis>(*due - core_.clock.Mono()), Millis{0}, kTidyAfter);
    wake_.wait_for(lock, quiet, [&] { return !inbox_.empty() || stopping_; });
    idle_enough = inbox_.empty() && quiet == kTidyAfter;
  }
  if (idle_enough) {
    // Nobody waits: move what was committed to where it stays.
    core_.store.Tidy();
    tidy_wanted_ = false;
  }
  std::vector<std::unique_ptr<Job>> jobs;
  std::unique_lock lock(mutex_);
  if (inbox_.empty() && !stopping_ && happened_.empty()) {
    Millis sleep = kLongestSleep;
    if (due) sleep = std::clamp(std::chrono::ceil<Millis>(*due - core_.clock.Mono()), Millis{0}, kLongestSleep);
    wake_.wait_for(lock, sleep, [&] { return !inbox_.empty() || stopping_; });
  }
  while (!inbox_.empty() && jobs.size() < kGroupMax) {
    inbox_bytes_ -= inbox_.front()->call.body.size();
    jobs.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  return jobs;
}

void PlaneWorker::Run() {
  for (;;) {
    auto jobs = Collect();
    bool stopping = false, empty = false;
    {
      const std::lock_guard lock(mutex_);
      stopping = stopping_;
      empty = inbox_.empty();
    }
    core_.draining = stopping;
    if (in_doubt_) RefuseAll(std::move(jobs));
    else RunGroup(std::move(jobs));
    if (stopping && empty) break;
  }
  followers_.EndAll("stopping");
  const std::lock_guard lock(mutex_);
  ended_ = true;
  finished_.notify_all();
}

void PlaneWorker::RunGroup(std::vector<std::unique_ptr<Job>> jobs) {
  Group group{.now = core_.clock.Now(), .mono = core_.clock.Mono()};
  EndWaiting(group, waiting_.TakeEnded(group.mono, core_.draining));
  if (core_.look_again && *core_.look_again <= group.mono) {
    core_.look_again.reset();
    for (const auto& pool : std::exchange(core_.pools_with_late_secrets, {})) core_.queued(pool);
  }
  RunChores(group);
  std::vector<std::unique_ptr<Job>> follows;
  for (auto& job : jobs) {
    if (in_doubt_) {
      job->answer = ReplyFor(InDoubt(*in_doubt_));
      group.answered.push_back(std::move(job));
      continue;
    }
    switch (job->kind) {
      case Job::Kind::kCall: RunCall(group, std::move(job)); continue;
      case Job::Kind::kAdmit: RunAdmit(group, std::move(job)); continue;
      case Job::Kind::kMayUpload: {
        std::string caller;
        const auto allowed = MayUploadBlob(core_, job->call.authorization, caller);
        job->answer = allowed ? PlaneReply{} : ReplyFor(allowed.error());
        break;
      }
      case Job::Kind::kFollow: follows.push_back(std::move(job)); continue;
      case Job::Kind::kWork: {
        const auto done = InGroup(group, [&](plane::Change& change) { return job->work(core_, change); });
        job->answer = done ? PlaneReply{} : ReplyFor(done.error());
        job->depends = group.touched;
        break;
      }
    }
    group.answered.push_back(std::move(job));
  }
  // Before anything is given to them.
  for (const auto& runner : std::exchange(waits_no_more_, {})) EndWaiting(group, waiting_.TakeOf(runner));
  ServeWaiting(group);
  Finish(group);
  if (in_doubt_) return RefuseAll(std::move(follows));
  for (auto& job : follows) {  // only now: a follower sees nothing that could still be undone
    RunFollow(*job);
    job->SendAnswer();
  }
}

void PlaneWorker::RefuseAll(std::vector<std::unique_ptr<Job>> jobs) {
  for (auto& job : waiting_.TakeEnded(core_.clock.Mono(), true)) jobs.push_back(std::move(job));
  followers_.EndAll("stopping");
  for (auto& job : jobs) {
    job->answer = ReplyFor(InDoubt(*in_doubt_));
    job->SendAnswer();
  }
}

Answer<> PlaneWorker::Begin(Group& group) {
  if (group.transaction) return {};
  if (in_doubt_) return std::unexpected(InDoubt(*in_doubt_));
  auto transaction = core_.store.Begin();
  if (!transaction && transaction.error().code == Code::kCorrupt) {
    Doubt(transaction.error());
    return std::unexpected(InDoubt(transaction.error()));
  }
  if (!transaction) {
    Refusal refusal = plane::FromError({Code::kUnavailable, transaction.error().what});
    if (transaction.error().code == Code::kExhausted) refusal = plane::FromError(std::move(transaction).error());
    return std::unexpected(std::move(refusal));
  }
  group.transaction = *std::move(transaction);
  return {};
}

Answer<> PlaneWorker::InGroup(Group& group, const std::function<Answer<>(plane::Change&)>& work) {
  WRIT_ANSWER(Begin(group));
  auto change = std::make_unique<plane::Change>(*group.transaction, group.now, group.mono);
  Answer<> answer;
  const auto within = group.transaction->Within([&]() -> Result<bool> {
    answer = work(*change);
    return answer.has_value();
  });
  if (!within) {
    // The store itself failed: nothing of this transaction is left.
    change->Undone();
    GiveUp(group, within.error());
    return std::unexpected(plane::FromError({Code::kUnavailable, within.error().what}));
  }
  if (!answer) {
    change->Undone();
    return answer;
  }
  group.touched = group.touched || change->touched();
  group.changes.push_back(std::move(change));
  return answer;
}

void PlaneWorker::GiveUp(Group& group, Error error) {
  for (auto change = group.changes.rbegin(); change != group.changes.rend(); ++change) (*change)->Undone();
  group.changes.clear();
  group.transaction.reset();
  group.touched = false;
  for (auto& job : group.answered)
    if (job->depends) job->answer = Unstored(error), job->depends = false;
  core_.log(fmt::format("the store cannot keep what was asked: {}", error.what));
}

/// After a failed sync, undoing has brought memory back to before, and the store reads as after. Which of them survives is
/// known when it is opened the next time.
void PlaneWorker::Doubt(Error error) {
  if (error.code != Code::kCorrupt || in_doubt_) return;
  in_doubt_ = std::move(error);
  core_.log("nothing is served any more: check the disk, then start the plane again");
}

void PlaneWorker::RunChores(Group& group) {
  const auto log = [&](std::string_view name, const Refusal& refusal) {
    core_.log(fmt::format("{}: {}", name, refusal.cause.empty() ? refusal.error : refusal.cause));
  };
  if (const auto over = NextOver(); over && *over <= group.mono) {
    const auto done = InGroup(group, [&](plane::Change& change) -> Answer<> {
      [[maybe_unused]] const auto ended = WRIT_ANSWER(plane::EndWhatIsOver(core_, change));
      return {};
    });
    over_not_before_ = done ? MonoTime{} : group.mono + kOverRetry;
    if (!done) log("end what is over", done.error());
  }
  for (std::size_t i = 0; i < PlaneChores().size(); ++i) {
    if (chores_due_[i] > group.mono) continue;
    const Chore& chore = PlaneChores()[i];
    Millis next = kChoreRetry;
    const auto done = InGroup(group, [&](plane::Change& change) -> Answer<> {
      next = WRIT_ANSWER(chore.run(core_, change));
      return {};
    });
    if (!done) log(chore.name, done.error());
    chores_due_[i] = group.mono + next;
  }
}

void PlaneWorker::RunCall(Group& group, std::unique_ptr<Job> job) {
  const Route& route = *job->match.route;
  Asked asked{.core = core_,
              .call = job->call,
              .principal = nullptr,
              .body = nullptr,
              .change = nullptr,
              .parameters = {job->match.parameters.data(), job->match.count},
              .prepared = job->prepared,
              .logs = &logs_};
  std::optional<storage::Principal> principal;
  std::optional<PlaneReply> reply;
  const auto judge = [&]() -> Answer<> {
    if (route.capability != plane::Capability::kNone) {
      principal = WRIT_ANSWER(Admit(core_, job->call.authorization, job->call.address, route.capability,
                                    job->rate_taken ? Counted::kAlready : Counted::kNow));
      asked.principal = &*principal;
    }
    if (job->body) {
      if (!*job->body) return plane::Plain(400, "request body is not valid JSON");
      asked.body = &**job->body;
    }
    if (route.effect == Effect::kReads) {
      reply = WRIT_ANSWER(route.handler(asked));
      return {};
    }
    return InGroup(group, [&](plane::Change& change) -> Answer<> {
      asked.change = &change;
      reply = WRIT_ANSWER(route.handler(asked));
      return {};
    });
  };
  const auto judged = judge();
  if (judged && asked.waiting && route.may_wait && !core_.draining && !waiting_.full()) {
    if (job->waits_until == MonoTime{}) job->waits_until = asked.waiting->until;
    job->wanted = std::move(asked.waiting->wanted);
    if (job->waits_until > group.mono) {
      job->waits_on = asked.waiting->what;
      job->waiter = asked.caller;
      return waiting_.Add(asked.waiting->what, std::move(job));
    }
  }
  job->answer = judged ? *std::move(reply) : ReplyFor(judged.error());
  job->answer->caller = principal ? principal->name : asked.caller;
  job->depends = group.touched;
  group.answered.push_back(std::move(job));
}

/// Whether who sent a long body is let in at all; only then it is read, by another thread.
void PlaneWorker::RunAdmit(Group& group, std::unique_ptr<Job> job) {
  const auto judge = [&]() -> Answer<> {
    const Route& route = *job->match.route;
    if (route.claim_token) {
      [[maybe_unused]] const auto reporter = WRIT_ANSWER(plane::CheckReporter(core_, job->claim_token, job->match.parameters[0], group.now));
      return {};
    }
    [[maybe_unused]] const auto principal =
        WRIT_ANSWER(Admit(core_, job->call.authorization, job->call.address, route.capability));
    job->rate_taken = true;
    return {};
  };
  if (const auto judged = judge(); !judged) {
    job->answer = ReplyFor(judged.error());
    group.answered.push_back(std::move(job));
    return;
  }
  const auto back = std::move(job->admitted);
  job->kind = Job::Kind::kCall;
  back(std::move(job));
}

void PlaneWorker::ServeWaiting(Group& group) {
  for (const auto& what : std::exchange(happened_, {})) {
    const auto more = [&] { return IsRun(what) || core_.queue.HasWaiting(what); };
    if (!more()) continue;
    waiting_.AskAgain(what, [&](std::unique_ptr<Job> job) {
      if (WaitingCalls::Gone(*job)) {  // nobody is there to take what it would be given
        job->answer = NothingClaimed();
        group.answered.push_back(std::move(job));
      } else {
        RunCall(group, std::move(job));
      }
      return more();
    });
  }
}

/// Who waits for the end of a run sees it as it is; who waits for a run gets none.
void PlaneWorker::EndWaiting(Group& group, std::vector<std::unique_ptr<Job>> jobs) {
  for (auto& job : jobs) {
    if (IsRun(job->waits_on)) {
      job->waits_until = group.mono;
      RunCall(group, std::move(job));
    } else {
      job->answer = NothingClaimed();
      group.answered.push_back(std::move(job));
    }
  }
}

void PlaneWorker::Finish(Group& group) {
  if (group.touched) {
    // Several calls, one sync.
    const auto committed = group.transaction->Commit(storage::Durability::kDurable);
    if (!committed) {
      GiveUp(group, committed.error());
      Doubt(committed.error());
    } else {
      tidy_wanted_ = true;
      group.transaction.reset();
      session::Reach(core_.fault, plane::fault::kStored);
    }
  }
  group.transaction.reset();
  for (const auto& change : group.changes) change->Committed();
  for (auto& job : group.answered) job->SendAnswer();
}

}  // namespace writ::api

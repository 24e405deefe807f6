#include "api/plane/plane_worker.h"

#include <algorithm>

#include "api/plane/gate.h"
#include "plane/keeper.h"

namespace writ::api {

using plane::Answer;
using plane::Refusal;

namespace {

/// Never longer, so that a jump of the clock or one set by a test is seen.
constexpr Millis kLongestSleep{1000};
constexpr Millis kChoreRetry{60000};

PlaneReply Unstored(const Error& error) {
  PlaneReply reply = ReplyFor(plane::FromError({Code::kUnavailable, error.what}));
  if (error.code == Code::kExhausted) reply = ReplyFor(plane::FromError(error));
  return reply;
}

void Reply(Job& job) {
  switch (job.kind) {
    case Job::Kind::kCall: job.reply(*std::move(job.answer)); break;
    case Job::Kind::kMayUpload:
    case Job::Kind::kFollow:
      job.refused(job.answer->status == 200 ? std::nullopt : std::move(job.answer));
      break;
    case Job::Kind::kWork:
      if (job.answer->status == 200) job.done({});
      else job.done(plane::Plain(job.answer->status, job.answer->cause.empty() ? job.answer->body : job.answer->cause));
      break;
  }
}

}  // namespace

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
    if (std::ranges::find(queued_pools_, pool) == queued_pools_.end()) queued_pools_.emplace_back(pool);
  };
  core_.ended = [this](std::string_view run_id) {
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

std::optional<MonoTime> PlaneWorker::NextDue() const {
  std::optional<MonoTime> due;
  const auto take = [&](std::optional<MonoTime> other) {
    if (other && (!due || *other < *due)) due = other;
  };
  take(core_.leases.NextEnd());
  take(core_.queue.NextEnd());
  for (const auto& chore : chores_due_) take(chore);
  for (const auto& [pool, jobs] : waiting_)
    for (const auto& job : jobs) take(job->waits_until);
  return due;
}

std::vector<std::unique_ptr<Job>> PlaneWorker::Collect() {
  const auto due = NextDue();
  if (tidy_wanted_) {
    const std::lock_guard lock(mutex_);
    tidy_wanted_ = inbox_.empty();  // busy: later
  }
  if (tidy_wanted_) {
    // Nobody waits: move what was committed to where it stays.
    core_.store.Tidy();
    tidy_wanted_ = false;
  }
  std::vector<std::unique_ptr<Job>> jobs;
  std::unique_lock lock(mutex_);
  if (inbox_.empty() && !stopping_) {
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
    RunGroup(std::move(jobs));
    if (stopping && empty) break;
  }
  followers_.EndAll("stopping");
  const std::lock_guard lock(mutex_);
  ended_ = true;
  finished_.notify_all();
}

void PlaneWorker::RunGroup(std::vector<std::unique_ptr<Job>> jobs) {
  Group group{.now = core_.clock.Now(), .mono = core_.clock.Mono()};
  EndWaiting(group, core_.draining);
  RunChores(group);
  std::vector<std::unique_ptr<Job>> follows;
  for (auto& job : jobs) {
    switch (job->kind) {
      case Job::Kind::kCall: RunCall(group, std::move(job)); continue;
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
  ServeWaiting(group);
  Finish(group);
  for (auto& job : follows) {  // only now: a follower sees nothing that could still be undone
    RunFollow(*job);
    Reply(*job);
  }
}

Answer<> PlaneWorker::Begin(Group& group) {
  if (group.transaction) return {};
  auto transaction = core_.store.Begin();
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

void PlaneWorker::RunChores(Group& group) {
  const auto log = [&](std::string_view name, const Refusal& refusal) {
    core_.log(fmt::format("{}: {}", name, refusal.cause.empty() ? refusal.error : refusal.cause));
  };
  if (const auto lease = core_.leases.NextEnd(), queue = core_.queue.NextEnd();
      (lease && *lease <= group.mono) || (queue && *queue <= group.mono)) {
    const auto done = InGroup(group, [&](plane::Change& change) -> Answer<> {
      [[maybe_unused]] const auto ended = WRIT_ANSWER(plane::EndWhatIsOver(core_, change));
      return {};
    });
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
      principal = WRIT_ANSWER(Admit(core_, job->call.authorization, job->call.address, route.capability));
      asked.principal = &*principal;
    }
    if (route.body == Body::kJson) {
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
  if (judged && asked.waiting && route.may_wait && !core_.draining && waiting_count_ < kWaitingMax) {
    if (job->waits_until == MonoTime{}) job->waits_until = asked.waiting->until;
    if (job->waits_until > group.mono) {
      waiting_[asked.waiting->pool].push_back(std::move(job));
      ++waiting_count_;
      return;
    }
  }
  job->answer = judged ? *std::move(reply) : ReplyFor(judged.error());
  job->answer->caller = principal ? principal->name : asked.caller;
  job->depends = group.touched;
  group.answered.push_back(std::move(job));
}

void PlaneWorker::RunFollow(Job& job) {
  const auto judge = [&]() -> Answer<> {
    WRIT_ANSWER(Admit(core_, job.call.authorization, job.call.address, plane::Capability::kRunsRead));
    RouteMatch match;
    const bool log = MatchPattern("/v1/runs/{run}/log/stream", job.call.path, match);
    if (!log && !MatchPattern("/v1/runs/{run}/events/stream", job.call.path, match))
      return plane::Plain(404, fmt::format("no route for {} {}", job.call.method, job.call.path));
    const std::string_view id = match.parameters[0];
    const auto run = core_.store.GetRun(id);
    if (!run && run.error().code == Code::kNotFound) return plane::Plain(404, "run not found");
    if (!run) return std::unexpected(plane::FromError(run.error()));
    if (followers_.full()) return plane::Plain(429, "too many followers");
    const bool ended = storage::IsTerminal(run->status);
    if (log) {
      for (const auto& piece : logs_.Pieces(id))
        if (!Followers::SendPiece(*job.sink, piece)) return {};
      if (ended) job.sink->End("ended");
      else followers_.AddToLog(id, job.sink);
      return {};
    }
    std::uint64_t next = 0;
    for (const auto& [name, value] : job.call.query) {
      if (name != "from") continue;
      const bool digits = !value.empty() && value.size() <= 15 && value.find_first_not_of("0123456789") == value.npos;
      if (!digits) return plane::BadRequest("from must be a sequence number");
      next = std::stoull(value);
    }
    static constexpr std::size_t kPage = 1000;
    for (;;) {
      const auto texts = WRIT_ANSWER(core_.store.Events(id, next, kPage));
      for (const auto& text : texts)
        if (!Followers::SendEvent(*job.sink, next++, text)) return {};
      if (texts.size() < kPage) break;
    }
    if (ended) job.sink->End("ended");
    else followers_.AddToEvents(id, job.sink, next);
    return {};
  };
  const auto judged = judge();
  job.answer = judged ? PlaneReply{} : ReplyFor(judged.error());
}

void PlaneWorker::ServeWaiting(Group& group) {
  const auto pools = std::exchange(queued_pools_, {});
  for (const auto& pool : pools) {
    const auto found = waiting_.find(pool);
    if (found == waiting_.end()) continue;
    auto jobs = std::move(found->second);
    waiting_.erase(found);
    waiting_count_ -= jobs.size();
    while (!jobs.empty() && core_.queue.HasWaiting(pool)) {
      auto job = std::move(jobs.front());
      jobs.pop_front();
      // Nobody is there to take what it would be given.
      if (job->call.gone && job->call.gone->load()) {
        job->answer = PlaneReply{.body = R"({"empty":true})"};
        group.answered.push_back(std::move(job));
        continue;
      }
      RunCall(group, std::move(job));
    }
    // The others go on waiting, before those that have just been asked again.
    auto& rest = waiting_[pool];
    waiting_count_ += jobs.size();
    rest.splice(rest.begin(), jobs);
    if (rest.empty()) waiting_.erase(pool);
  }
}

void PlaneWorker::EndWaiting(Group& group, bool all) {
  for (auto pool = waiting_.begin(); pool != waiting_.end();) {
    auto& jobs = pool->second;
    for (auto job = jobs.begin(); job != jobs.end();) {
      const bool gone = (*job)->call.gone && (*job)->call.gone->load();
      if (!all && !gone && (*job)->waits_until > group.mono) {
        ++job;
        continue;
      }
      (*job)->answer = PlaneReply{.body = R"({"empty":true})"};
      group.answered.push_back(std::move(*job));
      job = jobs.erase(job);
      --waiting_count_;
    }
    pool = jobs.empty() ? waiting_.erase(pool) : std::next(pool);
  }
}

void PlaneWorker::Finish(Group& group) {
  if (group.touched) {
    // Several calls, one sync.
    const auto committed = group.transaction->Commit(storage::Durability::kDurable);
    if (!committed) {
      GiveUp(group, committed.error());
    } else {
      tidy_wanted_ = true;
      group.transaction.reset();
      session::Reach(core_.fault, plane::fault::kStored);
    }
  }
  group.transaction.reset();
  for (const auto& change : group.changes) change->Committed();
  for (auto& job : group.answered) Reply(*job);
}

}  // namespace writ::api

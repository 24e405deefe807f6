#include "runner/runner.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <list>
#include <mutex>
#include <thread>

#include "base/escape.h"
#include "contract/validators.h"
#include "runner/carry.h"
#include "runner/enrol.h"
#include "runner/job.h"
#include "session/receipt_builder.h"
#include "sys/file.h"

namespace writ {
namespace {

using canon::Json;
using runner::Claim;

constexpr Millis kClaimTimeout{10'000};  // beyond what the plane may hold a claim back
constexpr Millis kQuick{50};             // an empty answer that came sooner was not waited for
constexpr std::uint32_t kConcurrencyMax = 1024;
constexpr Millis kEndPoll{1000};   // for a plane to answer a claim that waits, when the runner stops
constexpr Millis kAskAgain{50};    // the claim may still have been on its way when the plane was asked to answer it
constexpr int kEndCallsMax = 5;

/// What is said may quote the plane, and somebody may be looking at a terminal.
void SayToStandardError(const std::string& line) { std::fputs((EscapeVisible(line) + "\n").c_str(), stderr); }

Result<> CheckOptions(const runner::Options& options) {
  if (options.concurrency < 1 || options.concurrency > kConcurrencyMax)
    return Fail(Code::kInvalid, "concurrency is {}; it can be 1 to {}", options.concurrency, kConcurrencyMax);
  if (options.poll_interval <= Millis{0} || options.poll_wait < Millis{0} || options.poll_wait > Millis{30'000})
    return Fail(Code::kInvalid, "a poll interval above zero and a poll wait of at most 30 s are needed");
  [[maybe_unused]] const auto pool = WRIT_TRY("--pool", contract::CheckPoolName(options.pool));
  WRIT_TRY("limits", CheckLimits(options.limits));
  if (options.policy && options.policy->identities)
    return Fail(Code::kInvalid, "policy: a runner cannot judge identities, because contracts of a plane do not say who was authenticated");
  return {};
}

}  // namespace

struct Runner::State {
  explicit State(runner::Options given) : options(std::move(given)) {}

  Result<> EnsureEnrolled(const std::stop_token& stop);
  Result<runner::Identity> Enrol(const std::stop_token& stop);
  Result<std::optional<Claim>> ClaimOne(Millis wait, bool& long_polled);
  Result<> Carry(Claim claim);
  void Poll(const std::stop_token& stop);
  Result<std::optional<Claim>> LongPoll(const std::stop_token& stop, bool& long_polled);
  void EndPoll();
  void Launch(Claim claim);
  runner::CarryParts Parts() {
    return {options, *identity, plane_key, *clock, *lines, *local, *blobs, *checkouts};
  }

  runner::Options options;
  SystemClock system_clock;
  const Clock* clock = nullptr;
  std::unique_ptr<runner::Lines> lines;
  std::unique_ptr<runner::LocalRuns> local;
  std::unique_ptr<runner::FetchedBlobs> blobs;
  std::unique_ptr<session::CheckoutCache> checkouts;
  std::optional<runner::Identity> identity;
  std::optional<crypto::PublicKey> plane_key;
  std::optional<runner::Lines::Line> poll_line;  ///< of the thread that claims; Cancel from others while `polling`
  Json announcement;                             ///< `writ` of claims

  struct Worker {
    std::jthread thread;
    bool done = false;  ///< guarded by mutex
  };
  std::mutex mutex;
  std::condition_variable_any changed;
  std::list<Worker> workers;  ///< guarded by mutex
  std::size_t busy = 0;       ///< guarded by mutex
  bool polling = false;       ///< guarded by mutex: a claim of `poller` is under way
  remote::PlaneConnection* enrolling = nullptr;  ///< guarded by mutex: for Cancel
  std::jthread poller;  ///< guarded by mutex
  std::atomic<bool> started = false;
};

Result<runner::Identity> Runner::State::Enrol(const std::stop_token& stop) {
  const auto line = WRIT_TRY("plane", lines->Take());
  const auto set = [&](remote::PlaneConnection* connection) {
    const std::lock_guard hold(mutex);
    enrolling = connection;
  };
  set(&*line);
  auto found = [&] {
    const std::stop_callback ended(stop, [&] { line->Cancel(); });
    return runner::Enrol(options, *line);
  }();
  set(nullptr);
  if (!found && line->http().cancelled()) return Fail(Code::kUnavailable, "stopped before it was enrolled");
  return found;
}

Result<> Runner::State::EnsureEnrolled(const std::stop_token& stop) {
  if (identity) return {};
  auto found = Enrol(stop);
  if (!found) return std::unexpected(std::move(found).error());  // said as the original says it
  plane_key = WRIT_TRY("plane", runner::PlaneKeyOf(options, *found));
  identity = *std::move(found);

  Json tiers = Json::MakeArray(), agents = Json::MakeArray(), labels = Json::MakeObject();
  const auto allows = [](const std::vector<std::string>& list, std::string_view name) { return std::ranges::find(list, name) != list.end(); };
  for (const auto& entry : options.backends)  // what the operator allows nobody another runner may be able to do
    if (!options.policy || allows(options.policy->tiers, entry.backend->tier())) tiers.Append(std::string(entry.backend->tier()));
  for (const auto& kind : runner::AgentKinds(options))
    if (!options.policy || allows(options.policy->agents, kind)) agents.Append(kind);
  for (const auto& [name, value] : options.labels) labels.Set(name, value);
  announcement = Json::Of({{"v", 1},
                           {"tiers", std::move(tiers)},
                           {"agents", std::move(agents)},
                           {"labels", std::move(labels)},
                           {"secretHosts", true},
                           {"host", session::HostFacts(options.probe_digest)}});
  return runner::EndOrphans(Parts());
}

Result<std::optional<Claim>> Runner::State::ClaimOne(Millis wait, bool& long_polled) {
  if (!poll_line || (*poll_line)->http().cancelled()) {
    const auto change = [&](std::optional<runner::Lines::Line> line) {
      const std::lock_guard hold(mutex);  // EndPoll may be looking at it
      poll_line.reset();
      if (line) poll_line.emplace(*std::move(line));
    };
    change(std::nullopt);
    change(WRIT_TRY("plane", lines->Take()));
  }
  Json request = Json::Of({{"runnerToken", identity->runner_token}, {"pool", identity->pool}, {"writ", announcement}});
  if (wait > Millis{0}) request.Set("waitMs", wait.count());
  const auto began = std::chrono::steady_clock::now();
  const auto answer = WRIT_TRY("claim", (*poll_line)->Post("/v1/claims", request, wait + kClaimTimeout));
  long_polled = (identity->extended || answer.Find("writ") != nullptr) && std::chrono::steady_clock::now() - began >= kQuick;
  auto claim = WRIT_TRY("claim", runner::DecodeClaim(answer));
  if (claim) claim->asked = began;
  if (claim) session::Reach(options.fault, runner::fault::kClaimed);
  return claim;
}

Result<> Runner::State::Carry(Claim claim) {
  const auto carried = runner::CarryClaim(Parts(), std::move(claim));
  if (!carried) return std::unexpected(carried.error());
  if (!carried->message.empty()) options.say(fmt::format("run {} {}: {}", carried->run_id, carried->status, EscapeVisible(carried->message)));
  return {};
}

void Runner::State::Launch(Claim claim) {
  const std::lock_guard hold(mutex);
  Worker& worker = workers.emplace_back();
  ++busy;
  worker.thread = std::jthread([this, &worker, claim = std::move(claim)]() mutable {
    if (const auto carried = Carry(std::move(claim)); !carried) options.say("runner error: " + carried.error().what);
    const std::lock_guard done(mutex);
    worker.done = true;
    --busy;
    changed.notify_all();
  });
}

/// A claim that the plane may hold back. nullopt also when the runner stops.
Result<std::optional<Claim>> Runner::State::LongPoll(const std::stop_token& stop, bool& long_polled) {
  {
    const std::lock_guard hold(mutex);
    if (stop.stop_requested()) return std::optional<Claim>();  // from here on EndPoll sees it
    polling = true;
  }
  auto claim = ClaimOne(options.poll_wait, long_polled);
  const std::lock_guard hold(mutex);
  polling = false;
  changed.notify_all();
  if (!claim && stop.stop_requested() && poll_line && (*poll_line)->http().cancelled()) return std::optional<Claim>();
  return claim;
}

/// Lets the plane answer the claim that waits, with a run or without one: hung up on, it could give a run to nobody. A plane
/// that does not do so in time is hung up on.
void Runner::State::EndPoll() {
  const auto ended = [&](Millis patience) {
    std::unique_lock hold(mutex);
    return changed.wait_for(hold, patience, [&] { return !polling; });
  };
  const Json request = identity ? Json::Of({{"runnerToken", identity->runner_token}, {"pool", identity->pool}}) : Json();
  for (int i = 0; identity && identity->extended && i < kEndCallsMax; ++i) {
    if (ended(i == 0 ? Millis{0} : kAskAgain)) return;
    const auto line = lines->Take();
    if (!line || !(*line)->Post("/v1/claims/end", request, kEndPoll)) break;
  }
  if (ended(identity && identity->extended ? kAskAgain : kEndPoll)) return;  // the original's plane answers by itself
  const std::lock_guard hold(mutex);
  if (polling && poll_line) (*poll_line)->Cancel();
}

void Runner::State::Poll(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::list<Worker> ended;
    {
      std::unique_lock hold(mutex);
      changed.wait(hold, stop, [&] { return busy < options.concurrency; });
      for (auto it = workers.begin(); it != workers.end();) {
        const auto next = std::next(it);
        if (it->done) ended.splice(ended.end(), workers, it);
        it = next;
      }
    }
    ended.clear();  // joins
    if (stop.stop_requested()) return;
    bool long_polled = false;
    auto claim = LongPoll(stop, long_polled);
    if (claim && *claim) {
      Launch(**std::move(claim));
      continue;
    }
    if (!claim) options.say("runner error: " + claim.error().what);
    if (claim && long_polled) continue;
    std::unique_lock hold(mutex);
    changed.wait_for(hold, stop, options.poll_interval, [] { return false; });
  }
}

Runner::Runner(std::unique_ptr<State> state) : state_(std::move(state)) {}

Runner::~Runner() { Stop(); }

Result<std::unique_ptr<Runner>> Runner::Create(runner::Options options) {
  WRIT_TRY("runner", CheckOptions(options));
  if (options.policy)
    for (const LimitField& limit : LimitFields()) limit.set(options.limits, std::min(limit.get(options.limits), limit.get(options.policy->ceilings)));
  auto state = std::make_unique<State>(std::move(options));
  runner::Options& own = state->options;
  if (!own.say) own.say = SayToStandardError;
  state->clock = own.clock != nullptr ? own.clock : &state->system_clock;
  WRIT_TRY("runner directory", sys::MakeDirectories(own.dir, 0700));
  state->lines = WRIT_TRY("runner", runner::Lines::Make(own));
  state->local = WRIT_TRY("runner", runner::LocalRuns::Open(own.dir, *state->clock));
  own.dir = state->local->directory().path();
  state->blobs = WRIT_TRY("runner", runner::FetchedBlobs::Open(state->local->directory(), *state->lines, *state->clock,
                                                               {own.blob_bytes_max, own.cache_bytes_max}));
  state->checkouts = WRIT_TRY("runner", session::CheckoutCache::Open(state->local->directory().File("checkouts"), {}));
  return std::unique_ptr<Runner>(new Runner(std::move(state)));
}

Result<> Runner::EnsureEnrolled(const std::stop_token& stop) { return state_->EnsureEnrolled(stop); }

Result<bool> Runner::RunOnce(const std::stop_token& stop) {
  if (auto enrolled = state_->EnsureEnrolled(stop); !enrolled) return std::unexpected(std::move(enrolled).error());
  bool long_polled = false;
  auto claim = state_->ClaimOne(Millis{0}, long_polled);
  if (!claim) return std::unexpected(std::move(claim).error());
  if (!*claim) return false;
  if (auto carried = state_->Carry(**std::move(claim)); !carried) return std::unexpected(std::move(carried).error());
  return true;
}

Result<> Runner::Start(const std::stop_token& stop) {
  if (state_->started) return Fail(Code::kInvalid, "the runner was started already");
  if (auto enrolled = state_->EnsureEnrolled(stop); !enrolled) return std::unexpected(std::move(enrolled).error());
  state_->started = true;
  const auto& own = *state_->identity;
  state_->options.say(fmt::format("runner {} of pool {} waits for runs of {}", own.runner_id, own.pool, state_->options.plane_url));
  const std::lock_guard hold(state_->mutex);
  state_->poller = std::jthread([state = state_.get()](const std::stop_token& stopped) { state->Poll(stopped); });
  return {};
}

void Runner::Stop() {
  if (!state_) return;
  std::jthread poller;
  {
    const std::lock_guard hold(state_->mutex);
    if (state_->enrolling != nullptr) state_->enrolling->Cancel();
    poller = std::move(state_->poller);
  }
  if (!poller.joinable()) return;
  poller.request_stop();
  state_->EndPoll();
  poller.join();
  std::list<State::Worker> left;
  {
    const std::lock_guard hold(state_->mutex);
    left.splice(left.end(), state_->workers);
  }
  left.clear();  // joins: every claimed run is reported
  state_->started = false;
}

bool Runner::running() const { return state_->started; }

}  // namespace writ

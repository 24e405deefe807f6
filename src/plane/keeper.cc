#include "plane/keeper.h"

#include <algorithm>

#include "contract/event.h"
#include "contract/extension.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "plane/countersign.h"
#include "session/receipt_builder.h"

namespace writ::plane {
namespace {

using canon::Json;
using storage::RunStatus;
namespace event = contract::event;

constexpr std::size_t kRunsAtOnce = 64;  ///< of either kind; each costs about half a millisecond of signatures
/// A longer chain is not sent to another runner: its claim would have to carry all of it.
constexpr std::uint64_t kRequeueEventsMax = 10000;

RunStatus StatusOf(std::string_view terminal) {
  if (terminal == "run.completed") return RunStatus::kCompleted;
  if (terminal == "run.cancelled") return RunStatus::kCancelled;
  return RunStatus::kFailed;
}

Json NotStarted(std::string_view message) {
  contract::TerminationRecord termination;
  termination.message = message;
  return event::Extension("writ.run.ended", Json::Of({{"termination", contract::ToJson(termination)}}));
}

/// What the registered runners of a pool lack. What tiers and labels a runner has is only known from its claims, so
/// the reason says what the run needs when there are runners.
std::string WhyUnclaimed(Core& core, const Result<std::vector<storage::Runner>>& runners, const WaitingRun& waiting) {
  if (!runners) return "nobody claimed it";
  std::size_t in_pool = 0;
  for (const auto& runner : *runners) in_pool += runner.pool == waiting.pool ? 1 : 0;
  if (in_pool == 0) return fmt::format("no runner in pool \"{}\"", waiting.pool);
  const auto seen = core.offers.find(waiting.pool);
  if (seen == core.offers.end() || seen->second.empty())
    return fmt::format("no runner of pool \"{}\" asked for work", waiting.pool);
  std::string missing;
  for (const auto& [runner, offer] : seen->second) {
    missing = WhatIsMissing(waiting.needs, offer);
    if (missing.empty()) return fmt::format("the runners of pool \"{}\" were busy", waiting.pool);
  }
  return fmt::format("no runner in pool \"{}\" has {}", waiting.pool, missing);
}

/// Null for a run whose chain was changed: nothing is signed over it, and it is not tried again.
Result<KeptRun*> OpenToEnd(Core& core, Change& change, std::string_view id) {
  auto opened = core.chains.Open(change, id);
  if (opened || opened.error().code != Code::kCorrupt) return opened;
  core.log(fmt::format("run {} is left alone: {}", id, opened.error().what));
  return nullptr;
}

Result<> EndUnclaimed(Core& core, Change& change, const Result<std::vector<storage::Runner>>& runners, std::string_view id) {
  const auto waiting = core.queue.Take(id);
  if (!waiting) return {};
  change.OnUndo([&core, back = *waiting] { core.queue.Add(back); });
  KeptRun* run = WRIT_TRY("end run", OpenToEnd(core, change, id));
  if (run == nullptr) return {};
  return EndByKeeper(core, change, *run,
                     {.failure = "capability_mismatch",
                      .message = fmt::format("not claimed before the contract expired: {}", WhyUnclaimed(core, runners, *waiting))});
}

bool WantsRequeue(const KeptRun& run) {
  const Json* writ = run.contract.Find("writ");
  const std::string* wish = writ == nullptr ? nullptr : writ->FindString("onLost");
  return wish != nullptr && *wish == "requeue";
}

Result<> GiveBack(Core& core, Change& change, KeptRun& run, const HeldRun& held, std::string_view reason) {
  WRIT_TRY("requeue", core.chains.Append(change, run,
                                         {event::Extension("writ.run.requeued", Json::Of({{"runnerId", held.runner_id},
                                                                                          {"attempt", held.attempt},
                                                                                          {"reason", reason}}))}));
  WRIT_TRY("requeue", LogKeeperDecision(core, change, run, fmt::format("given to another runner: {}", reason)));
  WRIT_TRY("requeue", change->Requeue(run.id, change.now()));
  run.status = RunStatus::kCreated;
  change.OnUndo([&core, id = run.id] { core.queue.Take(id); });
  const auto row = WRIT_TRY("requeue", core.store.GetRun(run.id));
  auto queued = WRIT_TRY("requeue", core.store.Queued(run.pool, 1, row.number - 1));
  if (queued.empty() || queued.front().id != run.id) return Fail(Code::kCorrupt, "run {} is not in the queue", run.id);
  core.queue.Add({.id = run.id,
                  .number = row.number,
                  .attempts = queued.front().attempts,
                  .pool = run.pool,
                  .needs = NeedsFromText(queued.front().entry.needs),
                  .expires = queued.front().entry.expires,
                  .ends_at = change.mono() + std::max(queued.front().entry.expires - change.now(), Millis{0})});
  core.queued(run.pool);
  core.metrics.Add("runs.requeued");
  return {};
}

Result<> EndLost(Core& core, Change& change, std::string_view id) {
  const auto held = core.leases.Remove(id);
  if (!held) return {};
  change.OnUndo([&core, key = std::string(id), back = *held] { core.leases.Add(key, back); });
  KeptRun* run = WRIT_TRY("end run", OpenToEnd(core, change, id));
  if (run == nullptr || storage::IsTerminal(run->status)) return {};
  const std::string reason = fmt::format("runner {} was lost: no sign of it until its lease ended", held->runner_id);
  // A run that was asked to end, or whose chain has its end, is not begun again.
  if (WantsRequeue(*run) && held->attempt < kAttemptsMax && !held->stop && run->facts.terminal.empty() &&
      run->chain.count() < kRequeueEventsMax)
    return GiveBack(core, change, *run, *held, reason);
  return EndByKeeper(core, change, *run, {.message = reason, .interrupted = true});
}

}  // namespace

Result<> LogKeeperDecision(Core& core, Change& change, const KeptRun& run, std::string_view reason) {
  const std::string* policy_hash = run.contract.FindString("policyHash");
  WRIT_TRY("decision log",
           change->AppendDecision(core.keys.decision_genesis,
                                  {.kind = storage::DecisionKind::kRefusal,
                                   .at = change.now(),
                                   .run_id = run.id,
                                   .digest = run.contract_hash,
                                   .policy_hash = policy_hash == nullptr ? "" : *policy_hash,
                                   .reason = std::string(reason),
                                   .detail = nullptr}));
  return {};
}

Result<> EndByKeeper(Core& core, Change& change, KeptRun& run, const KeeperEnding& ending) {
  std::vector<Json> events;
  if (run.facts.state == RunStatus::kCreated) events.push_back(event::RunClaimed(kKeeperId, core.keys.keeper.key_id()));
  if (run.facts.terminal.empty()) {
    events.push_back(ending.interrupted
                         ? event::Extension("writ.run.interrupted", Json::Of({{"reason", ending.message}}))
                         : NotStarted(ending.message));
    events.push_back(event::RunFailed(ending.failure, ending.message));
  }
  WRIT_TRY("end run", LogKeeperDecision(core, change, run, ending.message));
  WRIT_TRY("end run", core.chains.Append(change, run, std::move(events)));

  const RunStatus status = StatusOf(run.facts.terminal);
  session::RunFacts facts = run.facts;
  facts.runner_id = kKeeperId;
  facts.runner_key_id = core.keys.keeper.key_id();
  Json receipt = WRIT_TRY("end run", session::BuildReceipt(run.contract, run.contract_hash, facts, status));
  WRIT_TRY("sign receipt", contract::AppendSignature(receipt, contract::kSignerRunner, core.keys.keeper));
  WRIT_TRY("sign receipt", Countersign(receipt, run.contract, run.contract_hash, facts, core.keys.keeper_pem,
                                       core.keys.plane));
  WRIT_TRY("store receipt",
           change->SetReceipt(run.id, canon::Compact(receipt), run.facts.chain.head(), status, change.now()));
  DropFromQueue(core, change, run.id);
  ReleaseRun(core, change, run.id);
  change.OnUndo([&core, id = run.id] { core.chains.Forget(id); });
  run.status = status;
  change.AfterCommit([&core, status, id = run.id] {
    core.metrics.Add(fmt::format("runs.completed.{}", storage::RunStatusName(status)));
    core.ended(id);
  });
  return {};
}

Result<bool> EndWhatIsOver(Core& core, Change& change) {
  const auto over = core.queue.EndedBy(change.mono(), kRunsAtOnce);
  if (!over.empty()) {
    const auto runners = core.store.Runners();  // read once for all of them
    for (const auto& id : over) WRIT_TRY("end unclaimed run", EndUnclaimed(core, change, runners, id));
  }
  const auto lost = core.leases.EndedBy(change.mono(), kRunsAtOnce);
  for (const auto& id : lost) WRIT_TRY("end lost run", EndLost(core, change, id));
  return over.size() == kRunsAtOnce || lost.size() == kRunsAtOnce;
}

}  // namespace writ::plane

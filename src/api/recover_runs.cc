#include "api/recover_runs.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <thread>

#include "api/local_consent.h"
#include "api/local_run.h"
#include "api/run_queries.h"
#include "contract/hash.h"
#include "plane/countersign.h"
#include "session/end_orphan.h"
#include "storage/run_lock.h"
#include "sys/file.h"

namespace writ::api {
namespace {

using canon::Json;

constexpr std::size_t kDirectoriesMax = 1'000'000;
constexpr Millis kKillPoll{10};

/// The run id in "run_UUID.lock", "run_UUID.kill" or "run_UUID.XXXXXX".
std::string RunIdOf(const std::string& name) { return name.substr(0, name.rfind('.')); }

Result<> EndDeadRun(LocalState& state, const LocalKeys& keys, const std::string& id) {
  auto lock = WRIT_TRY("lock run", storage::RunLock::TryTake(state.directory(), id));
  if (!lock) return {};  // it lives
  // Under the lock: its process may have ended it a moment ago.
  const storage::Run run = WRIT_TRY("read run", state.store().GetRun(id));
  if (!run.receipt) {
    if (!run.contract) return Fail(Code::kCorrupt, "run {} has no contract", id);
    const auto contract = canon::Parse(*run.contract, canon::Mode::kWire);
    if (!contract) return Fail(Code::kCorrupt, "the contract of run {} is not JSON", id);
    const std::string hash = WRIT_TRY("contract", contract::HashUnsigned(*contract));
    const auto summarise = [&](std::string_view how) {
      RunSummary summary = DecodeSummary(run.summary);
      summary.exit_code = 125;  // as for results that could not be collected
      summary.ended_at = FormatTimestamp(state.clock().Now());
      summary.termination = how;
      return EncodeSummary(summary);
    };
    const session::Countersigner countersign = [&](Json& receipt, const session::RunFacts& facts) {
      return plane::Countersign(receipt, *contract, hash, facts, keys.runner_pem, keys.plane);
    };
    WRIT_TRY("end run",
             session::EndOrphan({state.store(), state.clock(), *contract, hash, keys.runner, countersign,
                                 state.options().fault_hook},
                                run, summarise));
  }
  return std::move(*lock).Retire();
}

/// Whether a plane has the run: it waits in its queue or a runner holds it.
Result<bool> IsOfPlane(LocalState& state, const std::string& id) {
  const auto lease = WRIT_TRY("read lease", state.store().GetLease(id));
  if (lease) return true;
  const auto run = WRIT_TRY("read run", state.store().GetRun(id));
  return run.status == storage::RunStatus::kCreated || run.status == storage::RunStatus::kAwaitingApproval;
}

/// Ids that still owe a receipt: their locks and flags stay.
Result<std::set<std::string>> Unfinished(LocalState& state) {
  const auto ids = WRIT_TRY("unfinished runs", state.store().Unfinished());
  return std::set<std::string>(ids.begin(), ids.end());
}

Result<bool> IsFree(LocalState& state, const std::set<std::string>& unfinished, const std::string& id) {
  if (unfinished.contains(id)) return false;
  const bool held = WRIT_TRY("look at the run's lock", storage::RunLock::IsHeld(state.directory(), id));
  return !held;
}

}  // namespace

Result<std::vector<Recovered>> RecoverRuns(LocalState& state) {
  const auto ids = WRIT_TRY("recover", state.store().Unfinished());
  std::vector<Recovered> recovered;
  for (const auto& id : ids) {
    const bool held = WRIT_TRY("recover", storage::RunLock::IsHeld(state.directory(), id));
    if (held) continue;
    // Runs of a plane that shares the directory: it ends them itself.
    const auto waiting = WRIT_TRY("recover", IsOfPlane(state, id));
    if (waiting) continue;
    const LocalKeys* keys = WRIT_TRY("recover", state.Keys());
    const auto ended = EndDeadRun(state, *keys, id);
    recovered.push_back({id, ended ? "" : ended.error().what});
  }
  if (!recovered.empty()) WRIT_TRY("recover", SweepLeftovers(state));
  return recovered;
}

Result<> KillRun(LocalState& state, std::string_view name, Deadline deadline) {
  const std::string id = WRIT_TRY("kill", state.store().ResolveRun(name));
  const storage::Run run = WRIT_TRY("kill", state.store().GetRun(id));
  if (storage::IsTerminal(run.status))
    return Fail(Code::kInvalid, "run {} has already ended: {}", id, storage::RunStatusName(run.status));
  if (run.status == storage::RunStatus::kAwaitingApproval) return EndParkedRun(state, run, "cancelled by kill");
  const auto runs = WRIT_TRY("kill", state.directory().Subdirectory(kRunsDirectory));
  const std::string flag = KillFlagName(id);
  const sys::UniqueFd file(::openat(runs.get(), flag.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return FailErrno("ask for the end of run " + id);
  for (;;) {
    const bool held = WRIT_TRY("kill", storage::RunLock::IsHeld(state.directory(), id));
    if (!held) break;
    if (deadline.Passed())
      return Fail(Code::kDeadline, "run {} was asked to end and has not ended yet; it will at the next chance", id);
    std::this_thread::sleep_for(kKillPoll);
  }
  ::unlinkat(runs.get(), flag.c_str(), 0);  // usually gone with the run
  WRIT_TRY("kill", RecoverRuns(state));     // its process may have died instead of ending it
  return {};
}

Result<> SweepLeftovers(LocalState& state) {
  const auto unfinished = WRIT_TRY("sweep", Unfinished(state));
  for (const std::string_view folder : {kStagingDirectory, kRunsDirectory}) {
    const auto directory = WRIT_TRY("sweep", state.directory().Subdirectory(folder));
    for (const auto& entry : WRIT_TRY("sweep", sys::ListNames(directory, kDirectoriesMax))) {
      const std::string id = RunIdOf(entry);
      if (!id.starts_with("run_") || id == entry) continue;
      const bool free = WRIT_TRY("sweep", IsFree(state, unfinished, id));
      if (!free) continue;
      if (entry.ends_with(".lock")) {
        auto lock = WRIT_TRY("sweep", storage::RunLock::TryTake(state.directory(), id));
        if (lock) WRIT_TRY("sweep", std::move(*lock).Retire());
      } else {
        WRIT_TRY("sweep", sys::RemoveTree(directory, entry));
      }
    }
  }
  return {};
}

}  // namespace writ::api

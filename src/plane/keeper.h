#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "plane/core.h"

namespace writ::plane {

/// Why the plane ends a run that no runner ends.
struct KeeperEnding {
  std::string failure = "session_failed";  ///< failure class of run.failed
  std::string message;
  bool interrupted = false;  ///< a runner had it; else nothing was started
};

/// Ends a run that has a contract with a receipt that the keeper, a key of the plane, signs in the runner's place: its
/// runner was lost, nobody claimed it in time, or it could not be given to anybody. A run that was never claimed is
/// claimed by the keeper first, so that its chain stays one. A chain that has its terminal event gets the receipt
/// that this event asks for. The decision goes to the decision log.
/// Errors: those of the store; kCorrupt.
Result<> EndByKeeper(Core& core, Change& change, KeptRun& run, const KeeperEnding& ending);

/// What has to be done because time has passed: leases that ended (the run is given back or ended, as its contract
/// says), and runs that nobody claimed before their contract expired. Ends at most a few runs at a time.
/// Returns whether there is more to do at once.
Result<bool> EndWhatIsOver(Core& core, Change& change);

/// A run that its runner lost is given to another one at most this often.
inline constexpr std::uint32_t kAttemptsMax = 3;

/// For the decision log: what this plane refused or ended on its own.
Result<> LogKeeperDecision(Core& core, Change& change, const KeptRun& run, std::string_view reason);

}  // namespace writ::plane

#pragma once

#include <string_view>
#include <vector>

#include "api/local_plane.h"
#include "api/local_state.h"

namespace writ::api {

// What crashes and other processes leave to do. Preconditions: `state` is open for writing.

/// LocalPlane::Recover.
Result<std::vector<Recovered>> RecoverRuns(LocalState& state);

/// LocalPlane::Kill: leaves a flag beside the run's lock, which the process that holds the lock looks for, and waits
/// until the lock is free. No process id is involved, so no other process can be hit.
Result<> KillRun(LocalState& state, std::string_view run, Deadline deadline);

/// Removes staging directories, kill flags and lock files of runs that nobody holds and that owe no receipt.
Result<> SweepLeftovers(LocalState& state);

}  // namespace writ::api

#pragma once

#include <string_view>

#include "api/local_plane.h"
#include "api/local_state.h"

namespace writ::api {

/// LocalPlane::ReadKind for "log", "stdout" and "stderr": from the store when the run has ended, else from what it
/// publishes while it runs (session/live_log.h). Precondition: `state` is open.
Result<> CopyStream(LocalState& state, std::string_view run, std::string_view kind, const LocalPlane::Writer& write,
                    LocalPlane::Until until);

}  // namespace writ::api

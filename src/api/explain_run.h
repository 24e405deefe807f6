#pragma once

#include <string>
#include <string_view>

#include "api/local_plane.h"
#include "api/local_state.h"

namespace writ::api {

/// LocalPlane::Explain. Precondition: `state` is open.
Result<Explanation> ExplainRun(LocalState& state, std::string_view run);

}  // namespace writ::api

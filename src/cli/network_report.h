#pragma once

#include <string>

#include "api/local_plane.h"
#include "canon/json.h"

namespace writ::cli {

/// What a run was refused, for a terminal: everything in it is escaped.
std::string RenderRefusals(const api::Explanation& explained);
/// What `writ learn` found out, for a terminal.
std::string RenderLearned(const api::Explanation& explained);

canon::Json ExplanationJson(const api::Explanation& explained);  ///< of `writ explain --json`
canon::Json LearnedJson(const api::Explanation& explained);      ///< the member `learned` of `writ learn --json`

}  // namespace writ::cli

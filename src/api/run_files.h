#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/local_plane.h"
#include "api/local_state.h"

namespace writ::api {

// What a run left, taken out of the store. Preconditions: `state` is open. Nothing is taken from a run whose evidence
// does not verify.

/// LocalPlane::Apply.
Result<ApplyResult> ApplyRun(LocalState& state, const ApplyRequest& request);
/// LocalPlane::GetOutputs.
Result<std::vector<OutputFact>> CopyOutputs(LocalState& state, std::string_view run, std::string_view name,
                                            const std::string& directory);
/// LocalPlane::Gc. Precondition: open for writing.
Result<GcResult> CollectGarbage(LocalState& state, const GcRequest& request);

}  // namespace writ::api

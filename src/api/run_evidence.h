#pragma once

#include <string_view>

#include "api/local_plane.h"
#include "api/local_state.h"

namespace writ::api {

// Preconditions: `state` is open.

/// LocalPlane::Bundle.
Result<canon::Json> BundleOf(LocalState& state, std::string_view run);
/// LocalPlane::Verify.
Result<VerifyReport> VerifyRun(LocalState& state, std::string_view run);
/// The bundle's own problems as an error, for calls that act on what a run recorded. Errors: kCorrupt.
Result<canon::Json> VerifiedBundle(LocalState& state, std::string_view run);

/// The facts of the first event of a type; null when there is none. Precondition: a bundle that verified.
canon::Json FactsIn(const canon::Json& bundle, std::string_view type);

/// The one record of a kind ("changes", "outputs") that a run stored, checked against `sha256` as the chain names it.
/// Errors: kCorrupt when it is another one or its content is.
Result<canon::Json> ReadRecord(LocalState& state, std::string_view run, std::string_view kind, std::string_view sha256);

}  // namespace writ::api

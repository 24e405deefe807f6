#pragma once

#include <span>

#include "canon/json.h"
#include "plane/carried_blobs.h"
#include "plane/claims.h"
#include "plane/core.h"
#include "plane/refusal.h"

namespace writ::plane {

/// Ends a run with the receipt its runner signed: checked against contract and chain, its blobs found, countersigned,
/// and stored with the status it says, as one change. A refusal changes nothing, the token can be used again.
/// Of `carried` what the checked receipt or the chain under it names is stored, nothing else.
/// Returns the countersigned receipt. Refusals: 409 `claim token already used for completion`, `run ID is S; ...`;
/// 400 `invalid request: ...`, `receipt runner verification failed: P1; P2`, `receipt names blobs that are not stored: ...`.
Answer<canon::Json> Complete(Core& core, Change& change, std::string_view run_id, const Reporter& reporter,
                             const canon::Json* receipt, std::span<const CarriedBlob> carried = {});

/// `warrant.bundle.v1` of a run that has its receipt, as JSON text. 404 `run not found`, `bundle not available`.
Answer<std::string> BundleText(Core& core, std::string_view run_id);

}  // namespace writ::plane

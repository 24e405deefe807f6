#pragma once

#include "plane/change.h"
#include "plane/core.h"
#include "plane/refusal.h"

namespace writ::plane {

/// A blob that was stored this recently is kept: whoever sent it may not have asked for its run yet.
inline constexpr Millis kBlobRest = std::chrono::hours{24};

/// Where Settings::retention is on: removes ended runs that were last changed more than `receiptsDays` ago, with their
/// events, and blobs that nothing remaining names. A run that ended more than `artifactsDays` ago no longer holds its
/// blobs. Whatever looks like a hash in a contract, request, receipt or (while the run goes on) event counts as a name, and
/// so does what stands in an envelope. The decision log is never touched. Says when to come again: in an hour.
Answer<Millis> Retain(Core& core, Change& change);

}  // namespace writ::plane

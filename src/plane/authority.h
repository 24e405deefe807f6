#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "canon/json.h"

namespace writ::plane {

/// What another run was allowed, to compare with.
struct ApprovedBefore {
  std::string run_id;
  WallTime at{};
  canon::Json proposal;  ///< proposal.h
};

/// How the authority of a proposed run (proposal.h) differs from what was last approved of its kind: hosts, secrets,
/// limits and budget, tier, isolation, accepted mechanisms, labels, environment, workspace, command. Pure.
/// `{since, sinceAt, changes: [{what, change: "added"|"removed"|"changed", before?, after?}], more?}`; without a run to
/// compare with `{since: null, changes: []}`. At most 500 changes are listed, `more` counts the rest.
canon::Json DifferenceInAuthority(const std::optional<ApprovedBefore>& before, const canon::Json& proposal);

/// Runs of one kind: same requester (as authenticated and as named), agent kind and pool. A key for the store's values.
std::string KindKey(std::string_view principal, const canon::Json& proposal);

}  // namespace writ::plane

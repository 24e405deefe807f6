#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "policy/decision.h"
#include "storage/store.h"

namespace writ::plane {

/// What was judged, for an entry of the decision log (docs/formats/store.md).
struct Judged {
  std::string run_id;       ///< empty when there is none
  std::string digest;       ///< of the unsigned contract or of the request
  std::string policy_hash;  ///< empty when no policy could be read
};

/// The entry for what a policy said.
storage::NewDecision EntryFor(const policy::Decision& decision, const Judged& judged, WallTime now);

/// Records that a request was denied or must be asked about, or what was decided about a run that goes on. Durable when
/// this returns. `genesis`: SHA-256 of the plane's public key PEM text. Not for what leads to a contract: that entry
/// is stored with it (issue_contract.h).
Result<> LogDecision(storage::Store& store, std::string_view genesis, const policy::Decision& decision,
                     const Judged& judged, WallTime now);

/// Records that something else than policy refused a request: a tier that cannot enforce what it asks, say.
Result<> LogRefusal(storage::Store& store, std::string_view genesis, std::string_view reason, const Judged& judged,
                    WallTime now);

}  // namespace writ::plane

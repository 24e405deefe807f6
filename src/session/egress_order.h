#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "canon/json.h"
#include "egress/proxy.h"
#include "policy/egress.h"

namespace writ::session {

/// What a signed contract lets its run connect to.
struct EgressOrder {
  policy::EgressRules rules;
  std::optional<egress::UpstreamProxy> upstream = {};  ///< not the contract's: the network that the runner stands in
  std::optional<std::uint64_t> budget_bytes;  ///< both directions together; absent: no ceiling
  /// The contract is one of the original protocol without the extension, so the proxy answers as that protocol fixes.
  bool warrant_answers = false;
};

/// Reads it from a contract. With `writ` the rules are those of `writ.egress`; without `writ.egress` there is no way out
/// and nullopt is returned. A contract without `writ` has the way out that its `network` describes.
/// Errors: kInvalid for a member or a rule that cannot be read, and for a `network` that denies what `writ.egress`
/// opens: nothing may be opened then.
Result<std::optional<EgressOrder>> EgressOrderOf(const canon::Json& contract);

}  // namespace writ::session

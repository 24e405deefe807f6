#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/error.h"
#include "canon/json.h"
#include "egress/proxy.h"
#include "policy/egress.h"

namespace writ::session {

/// What a signed contract lets its run connect to.
struct EgressOrder {
  policy::EgressRules rules;
  std::shared_ptr<const egress::Interception> interception = {};  ///< null: nothing is read inside TLS
  std::optional<egress::UpstreamProxy> upstream = {};  ///< not the contract's: the network that the runner stands in
  std::optional<std::uint64_t> budget_bytes;  ///< both directions together; absent: no ceiling
  /// The contract is one of the original protocol without the extension, so the proxy answers as that protocol fixes.
  bool warrant_answers = false;
};

/// A decided change of what a running job may connect to; neither recorded nor applied yet.
struct RuleUpdate {
  std::optional<policy::EgressRules> rules;  ///< from now on; absent: the change was denied
  canon::Json event;                         ///< `writ.network.changed`, for the chain before the rules are in force
  std::function<Result<>()> record;          ///< writes the decision to its log; first, and while nobody else uses the store
};

/// Reads it from a contract. With `writ` the rules are those of `writ.egress`; without `writ.egress` there is no way out
/// and nullopt is returned. A contract without `writ` has the way out that its `network` describes.
/// Errors: kInvalid for a member or a rule that cannot be read, and for a `network` that denies what `writ.egress`
/// opens: nothing may be opened then.
Result<std::optional<EgressOrder>> EgressOrderOf(const canon::Json& contract);

}  // namespace writ::session

#pragma once

#include "policy/decision.h"
#include "policy/policy.h"
#include "policy/request.h"

namespace writ::policy {

/// Judges a request. No clock, no I/O, no globals: the same inputs give the same Decision on every machine.
/// Every objection is collected: first the six of the protocol with its wording, then those
/// of the extension: restricted tools, identity, tier, weakest tier, limits, accepted mechanisms, egress.
Decision Evaluate(const Policy& policy, const Request& request);

}  // namespace writ::policy

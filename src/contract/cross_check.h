#pragma once

#include <string>
#include <vector>

#include "canon/json.h"

namespace writ::contract {

/// Looks for contradictions the protocol's verification leaves unjudged, because the original accepts them: a receipt
/// that leaves out network attempts or disclosures of its own chain, a consent asked for and never given, a claim after
/// expiry, times that run backwards, a tier other than the contract's. Appends one sentence each; at most 50. Texts may
/// quote the bundle: escape them before showing them.
void CrossCheck(const canon::Json& contract, const canon::Json& receipt, const canon::Json& events, std::vector<std::string>& warnings);

}  // namespace writ::contract

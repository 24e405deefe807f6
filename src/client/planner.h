#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "contract/parts.h"

namespace writ::client {

/// What a person lets their client move elsewhere (docs/formats/plane-client.md, "Continuation policy"). Evaluated
/// before anything leaves the machine; the plane's policy is judged later and independently.
struct ContinuationPolicy {
  std::optional<std::vector<std::string>> pools_allowed;  ///< absent: every pool
  std::vector<std::string> pools_denied;
  std::optional<double> spend_usd_max, duration_min_max;
  std::size_t parallel_max = 4;
};

/// Strict JSON. Errors: kInvalid naming the member.
Result<ContinuationPolicy> ParseContinuationPolicy(std::string_view text);

struct PlanAsk {
  std::string pool;
  contract::Budget budget;    ///< what is absent counts as the ceiling
  std::size_t parallel = 1;
};

/// Why it may not move, in a fixed order and wording; empty: it may.
std::vector<std::string> PlanDenials(const ContinuationPolicy& policy, const PlanAsk& ask);

}  // namespace writ::client

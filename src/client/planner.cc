#include "client/planner.h"

#include <algorithm>

#include "canon/json.h"
#include "contract/object_reader.h"
#include "contract/validators.h"

namespace writ::client {
namespace {

using canon::Json;
using contract::ObjectReader;

constexpr std::size_t kPolicyBytesMax = 1u << 20;

bool Lists(const std::vector<std::string>& names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

/// A number as ECMAScript prints it; budgets here are finite.
std::string Number(double value) { return canon::Canonical(Json(value)).value_or("NaN"); }

}  // namespace

Result<ContinuationPolicy> ParseContinuationPolicy(std::string_view text) {
  const Json json = WRIT_TRY("continuation policy", canon::Parse(text, canon::Mode::kStrict, {.bytes_max = kPolicyBytesMax}));
  ContinuationPolicy policy;
  ObjectReader reader(json, "policy");
  std::string version;
  reader.Text("version", version, 1, 64);
  if (!version.empty() && version != "writ.continuation.v1") reader.Refuse("version", "must be \"writ.continuation.v1\"");
  if (const Json* pools = reader.Member("pools", false)) {
    ObjectReader inner(*pools, "policy.pools");
    if (inner.Has("allow")) inner.Texts("allow", policy.pools_allowed.emplace(), 1000, 128);
    inner.Texts("deny", policy.pools_denied, 1000, 128, false);
    inner.RefuseOthers();
    if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
  }
  if (const Json* budget = reader.Member("budget", false)) {
    ObjectReader inner(*budget, "policy.budget");
    inner.Number("maxSpendUsd", policy.spend_usd_max, 0, true);
    inner.Number("maxDurationMin", policy.duration_min_max, 0, false);
    inner.RefuseOthers();
    if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
  }
  std::optional<std::uint64_t> parallel;
  reader.Integer("parallel", parallel, 1, 1000);
  if (parallel) policy.parallel_max = *parallel;
  reader.RefuseOthers();
  WRIT_TRY("continuation policy", reader.Finish());
  return policy;
}

std::vector<std::string> PlanDenials(const ContinuationPolicy& policy, const PlanAsk& ask) {
  std::vector<std::string> denials;
  if (Lists(policy.pools_denied, ask.pool)) denials.push_back(fmt::format("pool \"{}\" is denied by continuation policy", ask.pool));
  if (policy.pools_allowed && !Lists(*policy.pools_allowed, ask.pool)) {
    denials.push_back(fmt::format("pool \"{}\" is not in the continuation allowlist", ask.pool));
  }
  // Written so that a value that is not a number is over every ceiling.
  if (policy.spend_usd_max && !(ask.budget.spend_usd_max.value_or(*policy.spend_usd_max) <= *policy.spend_usd_max)) {
    denials.push_back(fmt::format("requested budget ${} exceeds policy ceiling ${}", Number(*ask.budget.spend_usd_max),
                                  Number(*policy.spend_usd_max)));
  }
  if (policy.duration_min_max && !(ask.budget.duration_min_max.value_or(*policy.duration_min_max) <= *policy.duration_min_max)) {
    denials.push_back(fmt::format("requested duration {}m exceeds policy ceiling {}m", Number(*ask.budget.duration_min_max),
                                  Number(*policy.duration_min_max)));
  }
  if (ask.parallel > policy.parallel_max) {
    denials.push_back(fmt::format("requested {} parallel runs exceeds policy ceiling {}", ask.parallel, policy.parallel_max));
  }
  return denials;
}

}  // namespace writ::client

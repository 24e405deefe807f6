#include "policy/load.h"

namespace writ::policy {

using canon::Json;

Policy LocalDefault() {
  Json limits = Json::MakeObject();
  for (const LimitField& limit : LimitFields()) limits.Set(limit.member, limit.get(Limits{}));
  const Json none = Json::MakeArray();
  Json json = Json::Of({
      {"version", std::string(kPolicyVersion)},
      {"runners", Json::Of({{"allowPools", Json::Array{"local"}}})},
      {"agents", Json::Of({{"allow", Json::Array{"command"}}})},
      {"dataClasses", none},
      // The ceiling only: every contract made under it denies all hosts but those the request names.
      {"network", Json::Of({{"defaultDeny", false}, {"allowHosts", none}})},
      {"secrets", Json::Of({{"releasable", none}})},
      {"budget", Json::Of({{"maxSpendUsd", 0}, {"maxDurationMin", 10}})},
      {"consent", none},
      {"retention", Json::Of({{"receiptsDays", 365}, {"artifactsDays", 90}})},
      {"writ", Json::Of({
                   {"v", 1},
                   {"name", "local-default"},
                   {"tiers", Json::Of({{"allow", Json::Array{"process"}}})},
                   {"limits", std::move(limits)},
                   {"accept", Json::Array{"*"}},
                   {"secrets", Json::Of({{"own", "allow"}})},
               })},
  });
  std::vector<Problem> problems;
  std::optional<Policy> policy = Decode(std::move(json), problems);
  policy->source = "local-default";
  return *std::move(policy);
}

}  // namespace writ::policy

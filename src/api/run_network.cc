#include "api/run_network.h"

#include <algorithm>

#include "isolation/backend.h"
#include "policy/egress_rule.h"

namespace writ::api {

using canon::Json;

Result<> CheckNetwork(const NetworkRequest& network) {
  if (!network.asked && (network.open || !network.rules.empty() || network.budget_bytes))
    return Fail(Code::kInvalid, "--net none opens nothing, so nothing else can be said about the network");
  if (network.asked && !network.open && network.rules.empty())
    return Fail(Code::kInvalid, "the network is asked for without a host; name one with --net HOST[:PORT]");
  if (network.rules.size() > contract::kEgressRulesMax)
    return Fail(Code::kInvalid, "{} egress rules are given; at most {} are allowed", network.rules.size(),
                contract::kEgressRulesMax);
  for (const auto& rule : network.rules) {
    [[maybe_unused]] const auto read = WRIT_TRY("--net", policy::ParseEgressRule(rule));
  }
  if (network.budget_bytes == 0u) return Fail(Code::kInvalid, "--net-budget is zero, which never means unlimited");
  return {};
}

std::optional<contract::EgressGrant> EgressGrantOf(const NetworkRequest& network) {
  if (!network.asked) return std::nullopt;
  contract::EgressGrant grant{.rules = {}, .open = network.open, .budget_bytes = network.budget_bytes};
  for (const auto& rule : network.rules)
    if (std::ranges::find(grant.rules, rule) == grant.rules.end()) grant.rules.push_back(rule);
  return grant;
}

std::optional<policy::EgressAsk> EgressAskOf(const NetworkRequest& network) {
  const auto grant = EgressGrantOf(network);
  if (!grant) return std::nullopt;
  policy::EgressAsk asked{.open = grant->open, .rules = {}, .budget_bytes = grant->budget_bytes};
  for (const auto& text : grant->rules)
    if (auto rule = policy::ParseEgressRule(text)) asked.rules.push_back(*std::move(rule));
  return asked;
}

policy::EgressRules EgressRulesOf(const NetworkRequest& network) {
  policy::EgressRules rules;
  if (auto asked = EgressAskOf(network)) {
    rules.open = asked->open;
    rules.rules = std::move(asked->rules);
  }
  return rules;
}

contract::NetworkPolicy NetworkPolicyOf(const NetworkRequest& network) {
  contract::NetworkPolicy plain;
  plain.default_deny = !network.open;
  for (const auto& text : network.rules) {
    const auto rule = policy::ParseEgressRule(text);
    if (!rule || rule->kind != policy::EgressRule::Kind::kHost || rule->port || rule->by_request()) continue;
    if (std::ranges::find(plain.allow_hosts, rule->name) == plain.allow_hosts.end())
      plain.allow_hosts.push_back(rule->name);
  }
  return plain;
}

contract::EnvList ProxyEnvironment(const NetworkRequest& network) {
  contract::EnvList env;
  if (!network.asked) return env;
  const std::string proxy = fmt::format("http://127.0.0.1:{}", isolation::kProxyPort);
  for (const auto* name : {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"})
    env.emplace_back(name, proxy);
  for (const auto* name : {"NO_PROXY", "no_proxy"}) env.emplace_back(name, "localhost,127.0.0.1,::1");
  return env;
}

Json NetworkJson(const NetworkRequest& network) {
  const auto grant = EgressGrantOf(network);
  return grant ? contract::ToJson(*grant) : Json::MakeObject();
}

}  // namespace writ::api

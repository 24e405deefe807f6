#include "policy/egress.h"

#include "base/escape.h"
#include "base/shell_quote.h"

namespace writ::policy {
namespace {

using net::AddressClass;

std::string Shown(const EgressTarget& target) {
  return fmt::format("{}:{}", EscapeVisible(target.host.ToUrlText(), 260), target.port);
}

std::string RuleName(const EgressRules& rules, std::size_t index) {
  const EgressRule& rule = rules.rules[index];
  const bool warrant = rule.kind == EgressRule::Kind::kAllowHost;
  return fmt::format("{}[{}] {}", warrant ? "network.allowHosts" : "egress.rules", index,
                     EscapeVisible(rule.text, 300));
}

EgressVerdict Deny(std::string rule, std::string reason, std::string grant) {
  return {false, std::move(rule), std::move(reason), std::move(grant), false};
}

EgressVerdict Allow(std::string rule, std::string reason, bool intercept) {
  return {true, std::move(rule), std::move(reason), {}, intercept};
}

/// Which rule speaks for a target, if any: the first that grants every request, else the first that grants some.
struct Spoken {
  std::optional<std::size_t> index;
  bool by_request = false;
};
template <class Matches>
Spoken FirstRule(const EgressRules& rules, Matches matches) {
  Spoken spoken;
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    if (!matches(rules.rules[i])) continue;
    if (!rules.rules[i].by_request()) return {i, false};
    if (!spoken.index) spoken = {i, true};
  }
  return spoken;
}

std::string_view OpenRule(const EgressRules& rules) { return rules.open ? "egress.open" : "network.defaultDeny"; }

EgressVerdict DenyAddress(const EgressTarget& target, const net::IpAddress& address, AddressClass address_class) {
  const std::string shown = fmt::format("{}:{}", address.ToUrlText(), target.port);
  const std::string reason =
      target.host.address
          ? fmt::format("{} is a {} address, which no rule grants as such", shown, AddressClassName(address_class))
          : fmt::format("{} leads to {}, a {} address, which no rule grants as such", Shown(target), address.ToText(),
                        AddressClassName(address_class));
  return Deny("address-class", reason, "--net " + shown);
}

/// An address literal that is not public: only a rule that grants it as such lets it through.
EgressVerdict DecideLiteral(const EgressRules& rules, const EgressTarget& target, AddressClass address_class) {
  const net::IpAddress& address = *target.host.address;
  const Spoken spoken = FirstRule(
      rules, [&](const EgressRule& rule) { return rule.Matches(target) && rule.GrantsAddress(address, target.port); });
  if (!spoken.index) return DenyAddress(target, address, address_class);
  return Allow(RuleName(rules, *spoken.index),
               fmt::format("{} is granted as such, a {} address", Shown(target), AddressClassName(address_class)),
               spoken.by_request);
}

}  // namespace

EgressVerdict DecideName(const EgressRules& rules, const net::Host& host) {
  const std::string shown = EscapeVisible(host.ToText(), 260);
  if (host.address || host.name.empty()) {
    return Deny("default", fmt::format("\"{}\" is no name that could be looked up", shown), "");
  }
  const Spoken spoken = FirstRule(rules, [&](const EgressRule& rule) { return rule.MatchesHost(host, {}); });
  if (spoken.index) return Allow(RuleName(rules, *spoken.index), shown + " is granted", spoken.by_request);
  if (rules.open || !rules.default_deny) {
    return Allow(std::string(OpenRule(rules)), "every public host is granted", false);
  }
  return Deny("default", fmt::format("no rule grants {}", shown), "--net " + shown);
}

EgressVerdict DecideEgress(const EgressRules& rules, const EgressTarget& target) {
  if (!target.host.address && target.host.name.empty()) {
    return Deny("default", "the request names no host", "");
  }
  if (target.host.address) {
    const AddressClass address_class = net::Classify(*target.host.address);
    if (address_class != AddressClass::kPublic) return DecideLiteral(rules, target, address_class);
  }
  const Spoken spoken = FirstRule(rules, [&](const EgressRule& rule) { return rule.Matches(target); });
  if (spoken.index) {
    return Allow(RuleName(rules, *spoken.index), Shown(target) + " is granted", spoken.by_request);
  }
  if (rules.open || !rules.default_deny) {
    return Allow(std::string(OpenRule(rules)), "every public host is granted", false);
  }
  return Deny("default", fmt::format("no rule grants {}", Shown(target)), "--net " + Shown(target));
}

EgressVerdict DecideAddress(const EgressRules& rules, const EgressTarget& target, const net::IpAddress& resolved) {
  EgressVerdict verdict = DecideEgress(rules, target);
  if (!verdict.allowed) return verdict;
  if (target.host.address) {
    if (*target.host.address == resolved) return verdict;
    return Deny("default", fmt::format("{} is an address, not {}", Shown(target), resolved.ToText()), "");
  }
  const AddressClass address_class = net::Classify(resolved);
  if (address_class == AddressClass::kPublic) return verdict;
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    // A rule about requests to an address does not open it for the requests of another name.
    if (rules.rules[i].by_request() || !rules.rules[i].GrantsAddress(resolved, target.port)) continue;
    verdict.reason = fmt::format("{} leads to {}, a {} address that {} grants as such", Shown(target),
                                 resolved.ToText(), AddressClassName(address_class), RuleName(rules, i));
    return verdict;
  }
  return DenyAddress(target, resolved, address_class);
}

EgressVerdict DecideRequest(const EgressRules& rules, const EgressTarget& target, std::string_view method,
                            std::string_view path) {
  EgressVerdict verdict = DecideEgress(rules, target);
  if (!verdict.allowed || !verdict.intercept) return verdict;
  const std::string shown = fmt::format("{} {}", EscapeVisible(method, 40), EscapeVisible(path, 200));
  const auto decoded = DecodeRequestPath(path);
  if (!decoded) {
    return Deny(verdict.rule, fmt::format("{} is refused: {}", EscapeVisible(method, 40), decoded.error().what), "");
  }
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const EgressRule& rule = rules.rules[i];
    if (!rule.Matches(target) || !rule.GrantsRequest(method, *decoded)) continue;
    if (target.host.address && net::Classify(*target.host.address) != AddressClass::kPublic &&
        !rule.GrantsAddress(*target.host.address, target.port)) {
      continue;  // too wide a range to have opened this address
    }
    return Allow(RuleName(rules, i), shown + " is granted", true);
  }
  const std::string grant = fmt::format("{} {} {}", Shown(target), method, *decoded);
  return Deny("default", fmt::format("no rule grants {} to {}", shown, Shown(target)),
              ParseEgressRule(grant) ? "--net-rule " + ShellQuote(grant) : "");
}

EgressRules FromAllowHosts(bool default_deny, const std::vector<std::string>& allow_hosts) {
  EgressRules rules;
  rules.default_deny = default_deny;
  for (const std::string& text : allow_hosts) {
    EgressRule rule;
    rule.kind = EgressRule::Kind::kAllowHost;
    rule.text = text;
    if (const auto host = net::NormaliseHost(text); host && host->address) {
      rule.range = net::Cidr{*host->address, host->address->is_v4() ? 32U : 128U};
    }
    rules.rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace writ::policy

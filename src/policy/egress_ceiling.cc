#include "policy/egress_ceiling.h"

#include <algorithm>

#include "base/shell_quote.h"
#include "base/units.h"

namespace writ::policy {
namespace {

using RuleKind = EgressRule::Kind;
using net::AddressClass;

/// Prefixes below these grant only public addresses (EgressRule::GrantsAddress).
bool GrantsNonPublic(const net::Cidr& range) {
  return range.prefix_bits >= (range.network.is_v4() ? 8U : 7U);
}

bool CoversRange(const net::Cidr& ceiling, const net::Cidr& asked) {
  if (!ceiling.Contains(asked.network) || ceiling.prefix_bits > asked.prefix_bits) return false;
  if (ceiling == asked) return true;
  const AddressClass address_class = net::Classify(asked.network);
  if (asked.is_single() && address_class == AddressClass::kPublic) return true;
  // Only a metadata address itself grants a metadata address.
  if (asked.is_single() && address_class == AddressClass::kMetadata) return false;
  return GrantsNonPublic(ceiling) || !GrantsNonPublic(asked);
}

bool IsBelow(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() + 1 && name.ends_with(suffix) && name[name.size() - suffix.size() - 1] == '.';
}

bool CoversHost(const EgressRule& ceiling, const EgressRule& asked) {
  switch (ceiling.kind) {
    case RuleKind::kHost:
      return asked.kind == RuleKind::kHost && asked.name == ceiling.name;
    case RuleKind::kSuffix:
      if (asked.kind == RuleKind::kSuffix && asked.name == ceiling.name) return true;
      return (asked.kind == RuleKind::kHost || asked.kind == RuleKind::kSuffix) && IsBelow(asked.name, ceiling.name);
    case RuleKind::kRange:
      return asked.kind == RuleKind::kRange && ceiling.range && asked.range && CoversRange(*ceiling.range, *asked.range);
    case RuleKind::kAllowHost:
      return false;  // stands in contracts of the original protocol only
  }
  return false;
}

bool CoversPort(const EgressRule& ceiling, const EgressRule& asked) { return !ceiling.port || ceiling.port == asked.port; }

bool CoversPath(std::string_view ceiling, std::string_view asked) {
  if (ceiling == asked) return true;
  if (asked.find('*') == std::string_view::npos) return PathGlobMatches(ceiling, asked);
  if (!ceiling.ends_with("**")) return false;
  const std::string_view prefix = ceiling.substr(0, ceiling.size() - 2);
  return prefix.find('*') == std::string_view::npos && asked.starts_with(prefix);
}

bool CoversRequests(const EgressRule& ceiling, const EgressRule& asked) {
  if (!ceiling.by_request()) return true;
  if (!asked.by_request() || !CoversPath(ceiling.path, asked.path)) return false;
  if (ceiling.methods.empty()) return true;
  return !asked.methods.empty() && std::ranges::all_of(asked.methods, [&](const std::string& method) {
    return std::ranges::find(ceiling.methods, method) != ceiling.methods.end();
  });
}

/// Whether some connection is granted by both. Names and suffixes, like ranges, are nested or apart.
bool Meet(const EgressRule& a, const EgressRule& b) {
  if (a.port && b.port && a.port != b.port) return false;
  if (a.kind == RuleKind::kRange && b.kind == RuleKind::kRange)
    return a.range->Contains(b.range->network) || b.range->Contains(a.range->network);
  return CoversHost(a, b) || CoversHost(b, a);
}

/// Names lead to public addresses only, unless a rule of another kind grants more.
bool ReachesPublicOnly(const EgressRule& rule) {
  if (rule.kind != RuleKind::kRange) return true;
  if (!rule.range) return false;
  if (rule.range->is_single()) return net::Classify(rule.range->network) == AddressClass::kPublic;
  return !GrantsNonPublic(*rule.range);
}

bool IsListedHost(const EgressCeiling& ceiling, const EgressRule& rule) {
  std::string name = rule.name;
  if (rule.kind == RuleKind::kRange && rule.range && rule.range->is_single()) name = rule.range->network.ToText();
  if (rule.kind != RuleKind::kHost && (rule.kind != RuleKind::kRange || name.empty())) return false;
  return std::ranges::find(ceiling.hosts, name) != ceiling.hosts.end();
}

bool IsCovered(const EgressCeiling& ceiling, const EgressRule& rule) {
  if (IsListedHost(ceiling, rule)) return true;
  if (std::ranges::any_of(ceiling.rules, [&](const EgressRule& entry) { return Covers(entry, rule); })) return true;
  if (!ceiling.open || !ReachesPublicOnly(rule)) return false;
  return std::ranges::none_of(ceiling.rules, [&](const EgressRule& entry) { return entry.by_request() && Meet(entry, rule); });
}

Denial DenyRule(const EgressRule& rule) {
  if (rule.kind == RuleKind::kHost && !rule.port && !rule.by_request()) {
    return {"network.allowHosts", fmt::format("network host \"{}\" is not in the policy allowlist", rule.name),
            fmt::format("add \"{}\" to network.allowHosts", rule.name)};
  }
  return {"writ.egress.rules", fmt::format("egress rule \"{}\" is not below the policy's ceiling", rule.text),
          fmt::format("add \"{}\" to egress.rules", rule.text)};
}

/// A rule about requests restricts its hosts also when everything else is open, so a request for everything has to
/// bring a rule about requests for the same hosts.
void JudgeOpen(const EgressCeiling& ceiling, const EgressAsk& asked, std::vector<Denial>& denials) {
  if (!ceiling.open) {
    denials.push_back({"writ.egress.open", "every public host is asked for, and the policy opens only the hosts it names",
                       "set egress.open to true"});
    return;
  }
  for (std::size_t i = 0; i < ceiling.rules.size(); ++i) {
    const EgressRule& limit = ceiling.rules[i];
    if (!limit.by_request()) continue;
    const bool freed = std::ranges::any_of(ceiling.rules, [&](const EgressRule& other) {
      return !other.by_request() && CoversHost(other, limit) && CoversPort(other, limit);
    });
    const bool kept = std::ranges::any_of(asked.rules, [&](const EgressRule& rule) {
      return rule.by_request() && CoversHost(rule, limit) && CoversPort(rule, limit);
    });
    if (freed || kept) continue;
    denials.push_back({fmt::format("writ.egress.rules[{}]", i),
                       fmt::format("every public host is asked for without the limit \"{}\"", limit.text),
                       fmt::format("ask for it too: --net-rule {}", ShellQuote(limit.text))});
  }
}

void JudgeBudget(const EgressCeiling& ceiling, const EgressAsk& asked, std::vector<Denial>& denials) {
  if (!ceiling.budget_bytes) return;
  const std::string most = FormatSize(*ceiling.budget_bytes);
  if (!asked.budget_bytes) {
    denials.push_back({"writ.egress.budgetBytes", fmt::format("no network budget is asked for; the policy's ceiling is {}", most),
                       fmt::format("ask for one: --net-budget {}", *ceiling.budget_bytes)});
  } else if (*asked.budget_bytes > *ceiling.budget_bytes) {
    denials.push_back({"writ.egress.budgetBytes",
                       fmt::format("requested network budget {} exceeds policy ceiling {}", FormatSize(*asked.budget_bytes), most),
                       fmt::format("raise egress.budget to {}", *asked.budget_bytes)});
  }
}

}  // namespace

bool Covers(const EgressRule& ceiling, const EgressRule& asked) {
  return CoversHost(ceiling, asked) && CoversPort(ceiling, asked) && CoversRequests(ceiling, asked);
}

std::vector<Denial> JudgeEgress(const EgressCeiling& ceiling, const EgressAsk& asked) {
  std::vector<Denial> denials;
  if (!ceiling.whatever_is_named) {
    for (const EgressRule& rule : asked.rules)
      if (!IsCovered(ceiling, rule)) denials.push_back(DenyRule(rule));
    if (asked.open) JudgeOpen(ceiling, asked, denials);
  }
  JudgeBudget(ceiling, asked, denials);
  return denials;
}

}  // namespace writ::policy

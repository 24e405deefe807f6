#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/decision.h"
#include "policy/egress_rule.h"

namespace writ::policy {

/// What a request wants its run to connect to.
struct EgressAsk {
  bool open = false;  ///< every public host
  std::vector<EgressRule> rules;
  std::optional<std::uint64_t> budget_bytes;  ///< absent: no bound
};

/// The most that a policy lets any run connect to. The default lets it connect to nothing.
struct EgressCeiling {
  bool whatever_is_named = false;             ///< `network.defaultDeny: false`: all that a request names, open included
  std::vector<std::string> hosts;             ///< `network.allowHosts`: exact names, any port
  std::vector<EgressRule> rules;              ///< `writ.egress.rules`
  bool open = false;                          ///< `writ.egress.open`: every public host
  std::optional<std::uint64_t> budget_bytes;  ///< `writ.egress.budgetBytes`; absent: requests need no bound
};

/// Most rules of one ceiling.
inline constexpr std::size_t kEgressRulesMax = 1000;

/// Whether every connection and request that `asked` grants is granted by `ceiling` too: host, port, methods, path and
/// the addresses that it opens as such. May say no to a pair of path globs where yes would be true; never the opposite.
bool Covers(const EgressRule& ceiling, const EgressRule& asked);

/// All objections to a request, each with the smallest change that would remove it; none: it stays below the ceiling.
/// A rule has to be covered by one entry of the ceiling. Under `open` names need no entry, nor do public addresses, but a
/// rule about requests keeps its say over the hosts it names.
std::vector<Denial> JudgeEgress(const EgressCeiling& ceiling, const EgressAsk& asked);

}  // namespace writ::policy

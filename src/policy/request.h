#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "policy/egress_ceiling.h"

namespace writ::policy {

/// What a door asks for, already decoded and bounded. A plain value: evaluation sees nothing else.
struct Request {
  std::string agent_kind;  ///< "command", "claude-code", ...
  std::string pool;
  std::vector<std::string> secrets;    ///< names, in the order asked
  std::vector<std::string> hosts;      ///< names to reach, in the order asked
  std::optional<double> spend_usd;     ///< absent means the policy's ceiling
  std::optional<double> duration_min;  ///< absent means the policy's ceiling

  // What the `writ` extension adds. A request of the original protocol leaves all of it at its defaults.
  std::string tier = "process";             ///< kind of isolation asked for
  std::optional<std::string> weakest_tier;  ///< weakest tier it accepts; absent means `tier` itself
  std::optional<Limits> limits;             ///< absent: not judged (the original protocol has no limits)
  std::map<std::string, std::string, std::less<>> accepted;  ///< limit -> weaker mechanism it accepts
  std::optional<EgressAsk> egress;                           ///< what it may connect to; absent: nothing
  std::optional<std::string> identity;                       ///< who asks, authenticated by the door
  std::optional<std::string> tool;                           ///< what is run: argv[0] as given, or the tool's name
};

}  // namespace writ::policy

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/create_run.h"
#include "canon/json.h"

namespace writ::api {

/// Attempts of one run that were refused alike. Texts are NOT escaped for a terminal.
struct RefusedAttempt {
  std::string target;  ///< `host:port`; the host alone for look-ups; what was tried, for what is no connection
  std::string via;     ///< http, connect, transparent, dns; the kind of access for what is no connection
  std::string method, path;  ///< of requests that could be read
  std::string rule, reason;
  std::string grant;         ///< the rule that would allow it, as policy::ParseEgressRule reads it; empty: none would
  std::uint64_t count = 0;
};

/// One host and port that a run connected to.
struct UsedHost {
  std::string host;
  std::uint16_t port = 0;
  std::uint64_t connections = 0;
};

/// What became of a run's attempts to reach something, gathered from its contract and events.
struct NetworkStory {
  NetworkRequest granted;                ///< as the contract has it, with what was changed while it ran
  std::vector<std::string> argv;
  std::vector<RefusedAttempt> refused;   ///< by first attempt; at most kStoryGroupsMax
  std::uint64_t refused_more = 0;        ///< attempts that are in no group
  std::vector<UsedHost> used;            ///< by host and port; at most kStoryGroupsMax
  std::size_t used_more = 0;
  std::vector<std::string> files;        ///< changed paths, in order; at most kStoryGroupsMax
  std::size_t files_more = 0;

  /// The network of the contract and the grants of every refused attempt.
  NetworkRequest WithGrants() const;
  /// What was used and nothing else: `host:port` each. Ranges and addresses that were granted as such stay, because names
  /// may have led there; so does the budget.
  NetworkRequest Least() const;
};
inline constexpr std::size_t kStoryGroupsMax = 1000;

/// Never fails: members that cannot be read are left out.
NetworkStory TellNetwork(const canon::Json& contract, const std::vector<canon::Json>& entries);

canon::Json ToJson(const RefusedAttempt& attempt);
canon::Json ToJson(const UsedHost& used);

}  // namespace writ::api

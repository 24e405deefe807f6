#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/host_name.h"
#include "net/ip_address.h"

namespace writ::policy {

/// Where one connection wants to go.
struct EgressTarget {
  net::Host host;
  std::uint16_t port = 0;
  /// The host as a Warrant proxy compares it: the `hostname` of an absolute URL, or the host of a CONNECT authority
  /// as written. Only rules made of allowHosts look at it; empty means host.ToText().
  std::string spelled;
};

/// One grant. Text form, one line (docs/formats/egress.md):
///   HOST[:PORT] | *.SUFFIX[:PORT] | CIDR[:PORT] | [IPv6][:PORT], then optionally " METHOD[,METHOD] /path/glob".
struct EgressRule {
  enum class Kind : std::uint8_t {
    kHost,      ///< one name
    kSuffix,    ///< every name below `name`, not `name` itself
    kRange,     ///< address literals in `range`, and what granted names may lead to
    kAllowHost  ///< an entry of a Warrant contract's allowHosts: `text` equals the spelled host, any port
  };
  Kind kind = Kind::kHost;
  std::string name;                   ///< normalised, for kHost and kSuffix
  std::optional<net::Cidr> range;     ///< for kRange, and for a kAllowHost that is an address
  std::optional<std::uint16_t> port;  ///< absent: every port
  std::vector<std::string> methods;   ///< allowed methods of an intercepted host; empty: every method
  std::string path;                   ///< allowed paths as a glob; empty: the rule is not about requests
  std::string text;                   ///< as written, for events

  /// Whether only some requests are granted, so that the connection has to be intercepted.
  bool by_request() const { return !path.empty(); }
  /// Whether the rule speaks of this host and port; requests and address classes are not looked at.
  bool Matches(const EgressTarget& target) const;
  /// As Matches with the port left out: for a DNS question.
  bool MatchesHost(const net::Host& host, std::string_view spelled) const;
  /// Whether the rule grants a non-public address as such: it is a range that holds the address and is narrow enough
  /// to have been meant (at least /8, /7 for IPv6; exactly the address if it is a metadata service).
  bool GrantsAddress(const net::IpAddress& address, std::uint16_t to_port) const;
  /// Whether method and decoded path are granted. `path_decoded` comes from DecodeRequestPath.
  bool GrantsRequest(std::string_view method, std::string_view path_decoded) const;
};

/// Longest text of a rule, in bytes.
inline constexpr std::size_t kEgressRuleMax = 2048;

/// Reads one rule. Errors: kInvalid, naming the part that is wrong and what would be right.
Result<EgressRule> ParseEgressRule(std::string_view text);

/// The path that rules are compared with: query removed, percent signs decoded. Errors: kInvalid for a path that two
/// servers could understand differently: dot segments in any spelling, empty segments, encoded `/`, `\` or `%`,
/// control characters, bytes that are not UTF-8, anything that does not start with `/`, more than 8 KiB.
Result<std::string> DecodeRequestPath(std::string_view target);

/// `*` stands for any characters of one segment, `**` for any characters. Case counts. No memory; at most the
/// product of both lengths in time.
bool PathGlobMatches(std::string_view glob, std::string_view path);

}  // namespace writ::policy

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/host_name.h"

namespace writ::net {

/// The target of a CONNECT request as the Warrant protocol reads it.
struct ConnectAuthority {
  std::string host;   ///< as written: not normalised, brackets removed; may be empty or no host at all
  double port = 443;  ///< as ECMAScript's Number() reads it: may be negative, a fraction, too large or infinite

  /// The port if it is one: a whole number from 1 to 65535.
  std::optional<std::uint16_t> UsablePort() const;
};

/// Reads `HOST[:PORT]` leniently and never fails; what comes out still has to pass NormaliseHost and UsablePort.
/// White space around it is dropped, `[v6]` ends at its bracket, everything else splits at the last colon, a missing
/// or unreadable port is 443. Source: the recorded cases tests/vectors/warrant/connect-authority.json.
ConnectAuthority ParseConnectAuthority(std::string_view text);

/// `HOST[:PORT]` of a URL or a Host field.
struct Authority {
  Host host;
  std::optional<std::uint16_t> port;  ///< absent when not written; 0 never occurs
  std::string hostname;  ///< as the URL standard's `hostname`: normalised, a trailing dot kept, IPv6 in brackets

  friend bool operator==(const Authority&, const Authority&) = default;
};

/// Strict: one host that NormaliseHost accepts, IPv6 in brackets, a port in digits from 1 to 65535 without leading
/// zeros or nothing after the colon, no user information. Errors: kInvalid.
/// Source: RFC 9110 section 7.2, RFC 3986 section 3.2.
Result<Authority> ParseAuthority(std::string_view text);

/// A port in decimal digits, 1..65535, without leading zeros; nullopt otherwise.
std::optional<std::uint16_t> ParsePort(std::string_view digits);

}  // namespace writ::net

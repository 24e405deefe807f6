#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/error.h"

namespace writ::net {

/// Where an HTTP service is.
struct HttpEndpoint {
  bool tls = false;
  std::string host;  ///< normalised name or address; an IPv6 one without brackets
  std::uint16_t port = 0;
  std::string base_path;  ///< goes before every target; "" or "/a/b" without a slash at the end

  /// The value of Host: without the port when it is the scheme's.
  std::string HostField() const;
  /// HOST:PORT, IPv6 in brackets.
  std::string Authority() const;
  friend bool operator==(const HttpEndpoint&, const HttpEndpoint&) = default;
};

/// Reads `http://HOST[:PORT][/PATH]` or `https://...`; slashes at the end are dropped. Refused: user information, a
/// query, a fragment, other schemes, white space. Errors: kInvalid.
Result<HttpEndpoint> ParseBaseUrl(std::string_view text);

/// The HTTP proxy that this network demands for leaving it.
struct ProxyAddr {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  ///< value of Proxy-Authorization; empty for none
  friend bool operator==(const ProxyAddr&, const ProxyAddr&) = default;
};

/// The proxy for an endpoint by `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (lower case first, as curl; upper case
/// `HTTP_PROXY` is not read where `REQUEST_METHOD` is set, because a client of a CGI program writes it). A machine's own
/// loopback is never asked through a proxy. `NO_PROXY`: `*`, or names that match themselves and their subdomains, or
/// addresses and ranges (10.0.0.0/8), separated by commas. Errors: kInvalid, without repeating user and password.
Result<std::optional<ProxyAddr>> ProxyFor(const HttpEndpoint& endpoint, const EnvLookup& env);

}  // namespace writ::net

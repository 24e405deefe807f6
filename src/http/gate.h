#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/target.h"
#include "net/http1.h"

namespace writ::http {

/// Which names and origins a server answers to.
struct GateRules {
  bool tls = false;
  /// Bound to this machine only: then a Host other than localhost, 127.0.0.1, [::1] and `names` is refused, so that a
  /// page of another site whose name was pointed here (DNS rebinding) reads nothing.
  bool loopback = true;
  std::vector<std::string> names;  ///< lower case, without ports
};

struct GateRefusal {
  unsigned status;
  std::string_view error;
  friend bool operator==(const GateRefusal&, const GateRefusal&) = default;
};

/// What is refused whatever the route: hosts and origins that are not ours, credentials in the URL, expectations other
/// than 100-continue. A browser sends Origin with every request from another site, which has no business here; the same
/// origin is scheme, host and port of the Host field. Sec-Fetch-Site `cross-site` is refused but for following a link.
std::optional<GateRefusal> CheckGate(const GateRules& rules, const net::Http1RequestHead& head, const Target& target);

}  // namespace writ::http

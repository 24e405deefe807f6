#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "policy/egress.h"

namespace writ::egress {

/// Most bytes an upstream proxy may send before its consent is complete.
inline constexpr std::size_t kConsentBytesMax = 16U << 10;

/// The request that asks an upstream proxy for a tunnel. `authorization` becomes Proxy-Authorization when not empty.
/// Source: RFC 9110 section 9.3.6.
std::string AskForTunnel(const policy::EgressTarget& target, std::string_view authorization);

/// Reads the proxy's answer from its beginning: the length of a complete 2xx head, or 0 when more bytes are needed.
/// Errors: kDenied for another status, kUnavailable for what is no HTTP/1 answer or too long.
Result<std::size_t> ReadTunnelConsent(std::string_view received);

}  // namespace writ::egress

#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "policy/egress.h"

namespace writ::egress {

/// Whether the connection goes on after an answer.
enum class After : std::uint8_t { kKeepAlive, kClose };

/// Exact bytes of the protocol's answers to CONNECT (tests/vectors/warrant/egress.json).
inline constexpr std::string_view kConnectRefused = "HTTP/1.1 403 Forbidden\r\n\r\n";
inline constexpr std::string_view kConnectEstablished = "HTTP/1.1 200 Connection Established\r\n\r\n";

inline constexpr std::string_view kNotAbsolute = "proxy requires absolute-form URLs";
inline constexpr std::string_view kUpstreamError = "upstream error";

/// A whole answer of the proxy itself. `http10`: to a client that does not know chunks. HEAD gets no body.
std::string Answer(int status, std::string_view body, WallTime now, bool http10, bool head_only, After after);

/// Body of a 403: the protocol's words; with `explain` then the rule that spoke and the smallest grant that would do.
std::string RefusalBody(const policy::EgressVerdict& verdict, bool explain);

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
std::string HttpDate(WallTime time);

}  // namespace writ::egress

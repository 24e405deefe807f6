#include "egress/consent.h"

#include <cctype>

namespace writ::egress {

std::string AskForTunnel(const policy::EgressTarget& target, std::string_view authorization) {
  const std::string authority = fmt::format("{}:{}", target.host.ToUrlText(), target.port);
  std::string request = fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\n", authority, authority);
  if (!authorization.empty()) request += fmt::format("Proxy-Authorization: {}\r\n", authorization);
  return request + "\r\n";
}

Result<std::size_t> ReadTunnelConsent(std::string_view received) {
  const std::string_view head = received.substr(0, kConsentBytesMax);
  const auto end = head.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (received.size() >= kConsentBytesMax) return Fail(Code::kUnavailable, "the upstream proxy's answer is too long");
    return 0;
  }
  const auto digit = [&](std::size_t at) { return std::isdigit(static_cast<unsigned char>(head[at])) != 0; };
  // "HTTP/1.x NNN", then a space or the end of the line
  const bool status_line = end >= 12 && head.starts_with("HTTP/1.") && digit(7) && head[8] == ' ' && digit(9) &&
                           digit(10) && digit(11) && (head[12] == ' ' || head[12] == '\r');
  if (!status_line) return Fail(Code::kUnavailable, "the upstream proxy's answer is not HTTP/1");
  if (head[9] != '2') return Fail(Code::kDenied, "the upstream proxy answered {}", head.substr(9, 3));
  return end + 4;
}

}  // namespace writ::egress

#include "net/authority.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/escape.h"
#include "base/utf8.h"

namespace writ::net {
namespace {

constexpr double kDefaultPort = 443;

double DigitsInBase(std::string_view digits, unsigned base) {
  double value = digits.empty() ? std::nan("") : 0;
  for (const char c : digits) {
    unsigned digit = base;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return std::nan("");
    value = value * base + digit;
  }
  return value;
}

/// ECMAScript's Number(text): NaN for what is not a number, 0 for an empty text. Source: ECMA-262, StringToNumber.
double Number(std::string_view text) {
  text = TrimSpace(text);
  if (text.empty()) return 0;
  if (text.size() > 2 && text[0] == '0') {
    if (text[1] == 'x' || text[1] == 'X') return DigitsInBase(text.substr(2), 16);
    if (text[1] == 'o' || text[1] == 'O') return DigitsInBase(text.substr(2), 8);
    if (text[1] == 'b' || text[1] == 'B') return DigitsInBase(text.substr(2), 2);
  }
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  const double sign = negative ? -1 : 1;
  if (text == "Infinity") return sign * std::numeric_limits<double>::infinity();
  const bool plain = !text.empty() && text.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
  if (!plain || text[0] == '-' || text[0] == '+') return std::nan("");
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ptr != text.data() + text.size()) return std::nan("");
  if (read.ec == std::errc::result_out_of_range) {  // far above or far below every port: neither can be used
    return sign * std::numeric_limits<double>::infinity();
  }
  return read.ec == std::errc() ? sign * value : std::nan("");
}

}  // namespace

std::optional<std::uint16_t> ConnectAuthority::UsablePort() const {
  if (!(port >= 1 && port <= 65535) || port != std::floor(port)) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

ConnectAuthority ParseConnectAuthority(std::string_view text) {
  text = TrimSpace(text);
  const auto port_or_default = [](double port) { return std::isnan(port) ? kDefaultPort : port; };
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end != std::string_view::npos) {
      const std::string_view rest = text.substr(end + 1);
      const double port = rest.starts_with(':') ? Number(rest.substr(1)) : kDefaultPort;
      return {std::string(text.substr(1, end - 1)), port_or_default(port)};
    }
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {std::string(text), kDefaultPort};
  const std::string_view port = text.substr(colon + 1);
  return {std::string(text.substr(0, colon)), port.empty() ? kDefaultPort : port_or_default(Number(port))};
}

std::optional<std::uint16_t> ParsePort(std::string_view digits) {
  if (digits.empty() || digits.size() > 5 || digits.front() == '0') return std::nullopt;
  unsigned value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535 ? std::optional(static_cast<std::uint16_t>(value)) : std::nullopt;
}

Result<Authority> ParseAuthority(std::string_view text) {
  std::size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    host_end = bracket == std::string_view::npos ? bracket : bracket + 1;
  }
  const std::string_view host = text.substr(0, host_end);
  const std::string_view rest = text.substr(host.size());
  Authority authority;
  authority.host = WRIT_TRY("authority", NormaliseHost(host));
  if (!rest.empty() && rest != ":") {
    authority.port = rest[0] == ':' ? ParsePort(rest.substr(1)) : std::nullopt;
    if (!authority.port) {
      return Fail(Code::kInvalid, "authority \"{}\": the port must be 1..65535 in digits", EscapeVisible(text, 80));
    }
  }
  authority.hostname = authority.host.ToUrlText();
  const bool dot =
      host.ends_with('.') || host.ends_with("\u3002") || host.ends_with("\uFF0E") || host.ends_with("\uFF61");
  if (!authority.host.address && dot) authority.hostname += '.';
  return authority;
}

}  // namespace writ::net

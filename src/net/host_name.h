#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/ip_address.h"

namespace writ::net {

/// What a URL, a CONNECT request, a DNS question or a TLS ClientHello names: a DNS name or an address, never both.
struct Host {
  std::string name;                  ///< normalised A-label form: lower case, no trailing dot; "" for an address
  std::optional<IpAddress> address;  ///< set for address literals in any spelling

  /// The name, or the address without brackets.
  std::string ToText() const { return address ? address->ToText() : name; }
  /// As ToText, IPv6 in brackets: for URLs, Host headers and authorities.
  std::string ToUrlText() const { return address ? address->ToUrlText() : name; }
  friend bool operator==(const Host&, const Host&) = default;
};

/// Longest host text that is looked at, in bytes; also far above what can become a name of 253.
inline constexpr std::size_t kHostTextMax = 1024;

/// Gives every spelling of a host one form, once, so that no later check sees two spellings of one host:
/// - `[v6]` and bare IPv6 text are addresses; zone ids are refused;
/// - a name whose last label is a number (decimal, octal, 0x) is an IPv4 address in one of the forms inet_aton and
///   the URL standard know (127.1, 0x7f000001, 2130706433, 0177.0.0.1, a trailing dot), or is refused;
/// - every other name becomes lower case A-labels (UTS #46, not transitional), one trailing dot is dropped.
/// Letters, digits, `-`, `_` and dots between labels may remain; labels have 1..63 bytes, a name at most 253.
/// Refused are empty texts and labels, NUL, control characters, white space, `%`, `/`, `@`, `:` and everything else.
/// Errors: kInvalid. Source: URL Standard (WHATWG), "host parser", and stricter about what may remain; RFC 1035, RFC
/// 5891.
Result<Host> NormaliseHost(std::string_view text);

}  // namespace writ::net

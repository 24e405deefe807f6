#include "http/gate.h"

#include <algorithm>

#include "net/authority.h"

namespace writ::http {
namespace {

using net::FindField;

bool IsOwnName(const GateRules& rules, const net::Host& host) {
  const std::string text = host.ToText();
  return text == "localhost" || text == "127.0.0.1" || text == "::1" || std::ranges::find(rules.names, text) != rules.names.end();
}

bool SameOrigin(const GateRules& rules, std::string_view origin, const net::Authority& own) {
  const std::string_view scheme = rules.tls ? "https://" : "http://";
  if (!origin.starts_with(scheme)) return false;
  const auto theirs = net::ParseAuthority(origin.substr(scheme.size()));
  if (!theirs) return false;
  const std::uint16_t usual = rules.tls ? 443 : 80;
  return theirs->host == own.host && theirs->port.value_or(usual) == own.port.value_or(usual);
}

}  // namespace

std::optional<GateRefusal> CheckGate(const GateRules& rules, const net::Http1RequestHead& head, const Target& target) {
  std::optional<net::Authority> own;
  if (const std::string* host = FindField(head.fields, "host")) {
    auto parsed = net::ParseAuthority(*host);
    if (!parsed) return GateRefusal{400, "the host is no host"};
    own = *std::move(parsed);
    if (rules.loopback && !IsOwnName(rules, own->host)) return GateRefusal{421, "this host is not served here"};
  }
  if (CarriesToken(target)) return GateRefusal{400, "credentials do not belong into a URL; send them as a header"};
  if (net::CountFields(head.fields, "origin") > 1 || net::CountFields(head.fields, "authorization") > 1) {
    return GateRefusal{400, "a header is there twice"};
  }
  if (const std::string* origin = FindField(head.fields, "origin"); origin != nullptr && (!own || !SameOrigin(rules, *origin, *own))) {
    return GateRefusal{403, "requests from other origins are refused"};
  }
  if (const std::string* site = FindField(head.fields, "sec-fetch-site"); site != nullptr && *site == "cross-site") {
    const std::string* mode = FindField(head.fields, "sec-fetch-mode");
    if (head.method != "GET" || mode == nullptr || *mode != "navigate") return GateRefusal{403, "requests from other origins are refused"};
  }
  if (const std::string* expect = FindField(head.fields, "expect")) {
    std::string lower = *expect;
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (lower != "100-continue") return GateRefusal{417, "this expectation is not known"};
  }
  return std::nullopt;
}

}  // namespace writ::http

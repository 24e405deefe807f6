#include "policy/egress_rule.h"

#include <algorithm>

#include "base/escape.h"
#include "net/authority.h"

namespace writ::policy {
namespace {

constexpr std::size_t kMethodsMax = 16;
constexpr std::size_t kMethodMax = 32;
constexpr unsigned kGrantPrefixMinV4 = 8;
constexpr unsigned kGrantPrefixMinV6 = 7;  // fc00::/7

std::string Shown(std::string_view text) { return EscapeVisible(text, 120); }

/// "HOST[:PORT]" apart at the colon that starts the port.
struct HostAndPort {
  std::string_view host, port;
  bool has_port = false;
};
HostAndPort SplitPort(std::string_view text) {
  std::size_t from = 0;
  if (text.starts_with('[')) from = std::min(text.find(']'), text.size());
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos)
    from = slash;  // a range has colons too
  const std::size_t colon = text.find(':', from);
  if (colon == std::string_view::npos) return {text, {}, false};
  return {text.substr(0, colon), text.substr(colon + 1), true};
}

Result<> ReadHost(std::string_view host, EgressRule& rule) {
  if (host.find('/') != std::string_view::npos) {
    rule.kind = EgressRule::Kind::kRange;
    rule.range = WRIT_TRY("range", net::Cidr::FromText(host));
    return {};
  }
  if (host == "*")
    return Fail(Code::kInvalid, "\"*\" is no host; name the hosts, or use --net open for every public host");
  const bool suffix = host.starts_with("*.");
  auto read = net::NormaliseHost(suffix ? host.substr(2) : host);
  if (!read) return std::unexpected(std::move(read).error());
  if (suffix && read->address) {
    return Fail(Code::kInvalid, "\"{}\": an address has no subdomains; write a range such as 192.0.2.0/24",
                Shown(host));
  }
  if (read->address) {
    rule.kind = EgressRule::Kind::kRange;
    rule.range = net::Cidr{*read->address, read->address->is_v4() ? 32U : 128U};
    return {};
  }
  rule.kind = suffix ? EgressRule::Kind::kSuffix : EgressRule::Kind::kHost;
  rule.name = std::move(read->name);
  return {};
}

Result<> ReadTarget(std::string_view target, EgressRule& rule) {
  if (target.find("://") != std::string_view::npos) {
    return Fail(Code::kInvalid, "\"{}\" is a URL; write HOST or HOST:PORT, as in example.org:443", Shown(target));
  }
  if (!target.starts_with('[') && target.find('/') == std::string_view::npos && std::ranges::count(target, ':') > 1) {
    return Fail(Code::kInvalid, "\"{}\": write an IPv6 address in brackets, as in [2001:db8::1] or [2001:db8::1]:443",
                Shown(target));
  }
  const HostAndPort parts = SplitPort(target);
  WRIT_TRY("host", ReadHost(parts.host, rule));
  if (!parts.has_port) return {};
  rule.port = net::ParsePort(parts.port);
  if (rule.port) return {};
  return Fail(Code::kInvalid, "\"{}\": the port after the colon must be 1..65535; leave \":\" out for every port",
              Shown(target));
}

bool IsTokenByte(char c) {  // RFC 9110 section 5.6.2, without lower case: methods are written in upper case
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$&'+-.^_`|~").find(c) != std::string_view::npos;
}

Result<> ReadMethods(std::string_view list, EgressRule& rule) {
  if (list == "*") return {};
  for (std::size_t start = 0; start <= list.size();) {
    const std::size_t comma = std::min(list.find(',', start), list.size());
    const std::string_view method = list.substr(start, comma - start);
    if (method.empty() || method.size() > kMethodMax || !std::ranges::all_of(method, IsTokenByte)) {
      return Fail(Code::kInvalid,
                  "\"{}\": write methods in upper case with commas and no spaces, as in GET,HEAD, or * for all",
                  Shown(list));
    }
    rule.methods.emplace_back(method);
    start = comma + 1;
  }
  if (rule.methods.size() > kMethodsMax) return Fail(Code::kInvalid, "more than {} methods", kMethodsMax);
  return {};
}

Result<> ReadPath(std::string_view path, EgressRule& rule) {
  if (!path.starts_with('/')) {
    return Fail(Code::kInvalid, "\"{}\": a path starts with /, as in GET /simple/**", Shown(path));
  }
  if (path.find_first_of(" ?#%\\") != std::string_view::npos || path.find("***") != std::string_view::npos) {
    return Fail(Code::kInvalid, "\"{}\": a path glob is written decoded, without query, space, %, \\ and ***",
                Shown(path));
  }
  // A glob that no decoded path can equal would be a rule that never speaks.
  if (auto decoded = DecodeRequestPath(path); !decoded) return std::unexpected(std::move(decoded).error());
  rule.path = std::string(path);
  return {};
}

Result<EgressRule> ReadRule(std::string_view text) {
  if (text.empty()) return Fail(Code::kInvalid, "the rule is empty; write HOST, HOST:PORT, *.SUFFIX or a range");
  if (text.size() > kEgressRuleMax) return Fail(Code::kInvalid, "the rule is longer than {} bytes", kEgressRuleMax);
  EgressRule rule;
  rule.text = std::string(text);
  const std::size_t space = text.find(' ');
  WRIT_TRY("target", ReadTarget(text.substr(0, space), rule));
  if (space == std::string_view::npos) return rule;
  const std::string_view request = text.substr(space + 1);
  const std::size_t second = request.find(' ');
  if (second == std::string_view::npos) {
    return Fail(Code::kInvalid, "\"{}\": after the host write METHOD[,METHOD] and a path, as in GET,HEAD /simple/**",
                Shown(request));
  }
  WRIT_TRY("methods", ReadMethods(request.substr(0, second), rule));
  WRIT_TRY("path", ReadPath(request.substr(second + 1), rule));
  return rule;
}

}  // namespace

Result<EgressRule> ParseEgressRule(std::string_view text) {
  auto rule = ReadRule(text);
  if (!rule) return std::unexpected(std::move(rule).error().Doing(fmt::format("egress rule \"{}\"", Shown(text))));
  return rule;
}

bool EgressRule::MatchesHost(const net::Host& host, std::string_view spelled) const {
  switch (kind) {
    case Kind::kHost:
      return !host.address && host.name == name;
    case Kind::kSuffix:
      return !host.address && host.name.size() > name.size() + 1 && host.name.ends_with(name) &&
             host.name[host.name.size() - name.size() - 1] == '.';
    case Kind::kRange:
      return host.address && range && range->Contains(*host.address);
    case Kind::kAllowHost:
      return spelled.empty() ? text == host.ToText() : text == spelled;
  }
  return false;
}

bool EgressRule::Matches(const EgressTarget& target) const {
  return (!port || *port == target.port) && MatchesHost(target.host, target.spelled);
}

bool EgressRule::GrantsAddress(const net::IpAddress& address, std::uint16_t to_port) const {
  if (!range || (port && *port != to_port) || !range->Contains(address)) return false;
  if (net::Classify(address) == net::AddressClass::kMetadata) return range->is_single();
  return range->prefix_bits >= (address.is_v4() ? kGrantPrefixMinV4 : kGrantPrefixMinV6);
}

bool EgressRule::GrantsRequest(std::string_view method, std::string_view path_decoded) const {
  if (!by_request()) return true;
  if (!methods.empty() && std::ranges::find(methods, method) == methods.end()) return false;
  return PathGlobMatches(path, path_decoded);
}

}  // namespace writ::policy

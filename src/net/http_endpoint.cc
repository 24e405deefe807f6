#include "net/http_endpoint.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/escape.h"
#include "net/authority.h"
#include "net/http1.h"
#include "net/ip_address.h"

namespace writ::net {
namespace {

constexpr std::size_t kUrlBytesMax = 2048;

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool ListedItem(std::string_view item, const HttpEndpoint& endpoint) {
  if (item == "*") return true;
  if (item.starts_with('.')) item.remove_prefix(1);
  if (const auto address = IpAddress::FromText(endpoint.host)) {
    const auto range = Cidr::FromText(item);
    return range && range->Contains(*address);
  }
  const auto authority = ParseAuthority(item);
  if (!authority || authority->host.name.empty()) return false;
  if (authority->port && *authority->port != endpoint.port) return false;
  const std::string& name = authority->host.name;
  return endpoint.host == name || endpoint.host.ends_with("." + name);
}

bool Excepted(std::string_view list, const HttpEndpoint& endpoint) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view item = Trimmed(list.substr(0, comma));
    if (!item.empty() && ListedItem(item, endpoint)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// Percent-encoding undone; nullopt for a broken one or a control character.
std::optional<std::string> Decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '%') {
      const auto byte = HexDecode(text.substr(at + 1, 2));
      if (!byte || byte->size() != 1) return std::nullopt;
      c = byte->front();
      at += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out.push_back(c);
  }
  return out;
}

bool IsOwnMachine(const HttpEndpoint& endpoint) {
  if (endpoint.host == "localhost" || endpoint.host.ends_with(".localhost")) return true;
  const auto address = IpAddress::FromText(endpoint.host);
  return address && Classify(*address) == AddressClass::kLoopback;
}

}  // namespace

std::string HttpEndpoint::Authority() const {
  const bool bracketed = host.find(':') != host.npos;
  return fmt::format("{}{}{}:{}", bracketed ? "[" : "", host, bracketed ? "]" : "", port);
}

std::string HttpEndpoint::HostField() const {
  std::string text = Authority();
  if (port == (tls ? 443 : 80)) text.resize(text.rfind(':'));
  return text;
}

Result<HttpEndpoint> ParseBaseUrl(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Fail(Code::kInvalid, "{}: {}; write http://HOST:PORT or https://HOST[:PORT]", EscapeVisible(text, 200), why);
  };
  if (text.size() > kUrlBytesMax) return refuse("too long");
  Http1RequestHead head{.method = "GET", .target = std::string(text), .minor = 1, .fields = {}};
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f) return refuse("a URL is printable ASCII");
  const auto target = ParseRequestTarget(head);
  if (!target || target->form != Http1Target::Form::kAbsolute) return refuse("not the URL of a service");
  if (target->scheme != "http" && target->scheme != "https") return refuse("the scheme is not http or https");
  if (target->path.find('?') != std::string::npos) return refuse("a query does not belong into it");
  HttpEndpoint endpoint{.tls = target->scheme == "https", .host = target->host.ToText(), .port = target->port_or_default(),
                        .base_path = target->path};
  while (endpoint.base_path.ends_with('/')) endpoint.base_path.pop_back();
  return endpoint;
}

Result<std::optional<ProxyAddr>> ProxyFor(const HttpEndpoint& endpoint, const EnvLookup& env) {
  const auto either = [&](std::string_view lower, std::string_view upper) {
    auto value = env(lower);
    return value && !value->empty() ? *value : env(upper).value_or("");
  };
  if (IsOwnMachine(endpoint) || Excepted(either("no_proxy", "NO_PROXY"), endpoint)) return std::nullopt;
  const std::string_view name = endpoint.tls ? "HTTPS_PROXY" : "HTTP_PROXY";
  std::string url;
  if (endpoint.tls) {
    url = either("https_proxy", name);
  } else {
    url = env("http_proxy").value_or("");
    if (url.empty() && !env("REQUEST_METHOD")) url = env(name).value_or("");
  }
  std::string_view rest = Trimmed(url);
  if (rest.empty()) return std::nullopt;
  const auto refuse = [&](std::string_view why) { return Fail(Code::kInvalid, "${} {}; write http://[USER:PASSWORD@]HOST:PORT", name, why); };
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  else if (rest.find("://") != rest.npos) return refuse("is not the URL of an HTTP proxy");
  while (rest.ends_with('/')) rest.remove_suffix(1);
  ProxyAddr proxy;
  if (const std::size_t at = rest.rfind('@'); at != rest.npos) {
    const auto user = Decoded(rest.substr(0, at));
    if (!user) return refuse("has a control character or a broken % in its user or password");
    proxy.authorization = "Basic " + Base64Encode(AsBytes(*user));
    rest.remove_prefix(at + 1);
  }
  const auto authority = ParseAuthority(rest);
  if (!authority) return refuse("names no host");
  proxy.host = authority->host.ToText();
  proxy.port = authority->port.value_or(80);
  return proxy;
}

}  // namespace writ::net

#include "api/upstream_proxy.h"

#include "base/bytes.h"
#include "net/authority.h"

namespace writ::api {
namespace {

constexpr std::string_view kVariable = "WRIT_UPSTREAM_PROXY", kScheme = "http://";

}  // namespace

Result<std::optional<egress::UpstreamProxy>> UpstreamProxyOf(const EnvLookup& env) {
  const std::string url = env(kVariable).value_or("");
  std::string_view rest = url;
  if (rest.empty()) return std::nullopt;
  const auto refuse = [&](std::string_view why) {
    return Fail(Code::kInvalid, "${} {}; write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT", kVariable, why);
  };
  if (!rest.starts_with(kScheme)) return refuse("does not begin with http://");
  rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  egress::UpstreamProxy proxy;
  if (const std::size_t at = rest.rfind('@'); at != rest.npos) {
    const std::string_view user = rest.substr(0, at);
    for (const char c : user)
      if (c < 0x20 || c == 0x7f) return refuse("has a control character in its user or password");
    proxy.authorization = "Basic " + Base64Encode(AsBytes(user));
    rest.remove_prefix(at + 1);
  }
  const auto authority = net::ParseAuthority(rest);
  if (!authority) return refuse(fmt::format("names no host: {}", authority.error().what));
  if (!authority->port) return refuse("names no port");
  proxy.host = authority->host.address ? authority->host.address->ToText() : authority->host.name;
  proxy.port = *authority->port;
  return proxy;
}

}  // namespace writ::api

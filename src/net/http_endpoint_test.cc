#include "net/http_endpoint.h"

#include <gtest/gtest.h>

#include <map>

namespace writ::net {
namespace {

TEST(BaseUrl, Table) {
  struct Case {
    const char *text, *host;
    bool tls;
    unsigned port;
    const char *path, *host_field;
  };
  const Case good[] = {
      {"http://127.0.0.1:7172", "127.0.0.1", false, 7172, "", "127.0.0.1:7172"},
      {"http://127.0.0.1:7172/", "127.0.0.1", false, 7172, "", "127.0.0.1:7172"},
      {"https://Plane.Example.org/warrant/", "plane.example.org", true, 443, "/warrant", "plane.example.org"},
      {"https://[::1]:8443", "::1", true, 8443, "", "[::1]:8443"},
      {"http://plane", "plane", false, 80, "", "plane"},
  };
  for (const auto& c : good) {
    SCOPED_TRACE(c.text);
    const auto endpoint = ParseBaseUrl(c.text);
    ASSERT_TRUE(endpoint) << endpoint.error().what;
    EXPECT_EQ(*endpoint, (HttpEndpoint{.tls = c.tls, .host = c.host, .port = static_cast<std::uint16_t>(c.port), .base_path = c.path}));
    EXPECT_EQ(endpoint->HostField(), c.host_field);
  }
  for (const char* text : {"", "plane:7172", "ftp://plane", "ws://plane", "http://", "http://user:secret@plane", "http://plane?token=x",
                           "http://plane/a?b", "http://plane/#a", "http://plane:0", "http://plane:70000", "http://pla ne",
                           "http://plane/\x01", "http://plane/\xc3\xa9", "/v1"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(ParseBaseUrl(text).error().code, Code::kInvalid);
  }
}

TEST(ProxyFor, Table) {
  struct Case {
    const char* why;
    const char* url;
    std::map<std::string, std::string, std::less<>> env;
    const char* proxy;  // HOST:PORT or "" for none
  };
  const Case cases[] = {
      {"none", "https://plane.example", {}, ""},
      {"https", "https://plane.example", {{"HTTPS_PROXY", "http://proxy:3128"}}, "proxy:3128"},
      {"without a scheme", "https://plane.example", {{"HTTPS_PROXY", "proxy:3128/"}}, "proxy:3128"},
      {"lower case first", "https://plane.example", {{"HTTPS_PROXY", "http://a:1"}, {"https_proxy", "http://b:2"}}, "b:2"},
      {"http has its own", "http://plane.example", {{"HTTPS_PROXY", "http://proxy:3128"}}, ""},
      {"http", "http://plane.example", {{"HTTP_PROXY", "http://proxy:3128"}}, "proxy:3128"},
      {"a CGI client's Proxy field", "http://plane.example", {{"HTTP_PROXY", "http://evil:1"}, {"REQUEST_METHOD", "GET"}}, ""},
      {"own machine", "http://127.0.0.1:7172", {{"HTTP_PROXY", "http://proxy:3128"}}, ""},
      {"localhost", "http://localhost:7172", {{"HTTP_PROXY", "http://proxy:3128"}}, ""},
      {"everything excepted", "https://plane.example", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "*"}}, ""},
      {"a domain", "https://a.plane.example", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "x, .plane.example"}}, ""},
      {"no suffix of a label", "https://evilplane.example", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "plane.example"}}, "p:1"},
      {"a range", "https://10.1.2.3", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "10.0.0.0/8"}}, ""},
      {"another range", "https://11.1.2.3", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "10.0.0.0/8,"}}, "p:1"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto proxy = ProxyFor(*ParseBaseUrl(c.url), [&](std::string_view name) -> std::optional<std::string> {
      const auto found = c.env.find(name);
      return found == c.env.end() ? std::nullopt : std::optional(found->second);
    });
    ASSERT_TRUE(proxy) << proxy.error().what;
    EXPECT_EQ(*proxy ? (*proxy)->host + ":" + std::to_string((*proxy)->port) : "", c.proxy);
  }
}

TEST(ProxyFor, UserAndPasswordAreDecodedAndNeverRepeated) {
  const auto with = [](const char* url) {
    return ProxyFor(*ParseBaseUrl("https://plane.example"),
                    [url](std::string_view name) { return name == "HTTPS_PROXY" ? std::optional<std::string>(url) : std::nullopt; });
  };
  const auto proxy = with("http://me:p%40ss@proxy:3128");
  ASSERT_TRUE(proxy && *proxy);
  EXPECT_EQ((*proxy)->authorization, "Basic bWU6cEBzcw==");
  for (const char* bad : {"socks5://me:hunter2@proxy:1", "http://me:hunter2%0a@proxy:1", "http://me:hunter2%4@proxy:1", "http://me:hunter2@"}) {
    const auto refused = with(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().what.find("hunter2"), std::string::npos) << refused.error().what;
  }
}

}  // namespace
}  // namespace writ::net

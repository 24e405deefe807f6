#include "http/gate.h"

#include <gtest/gtest.h>

namespace writ::http {
namespace {

TEST(Gate, Table) {
  struct Case {
    const char* why;
    bool tls, loopback;
    std::string method, target;
    net::Http1Fields fields;
    unsigned status;  // 0: passes
  };
  const Case cases[] = {
      {"localhost", false, true, "GET", "/", {{"Host", "localhost:7172"}}, 0},
      {"the address", false, true, "GET", "/", {{"Host", "127.0.0.1"}}, 0},
      {"the other address", false, true, "GET", "/", {{"Host", "[::1]:1"}}, 0},
      {"a configured name", false, true, "GET", "/", {{"Host", "PLANE.internal"}}, 0},
      {"a name pointed here", false, true, "GET", "/", {{"Host", "evil.example"}}, 421},
      {"a name that begins like ours", false, true, "GET", "/", {{"Host", "localhost.evil.example"}}, 421},
      {"another loopback address", false, true, "GET", "/", {{"Host", "127.0.0.2"}}, 421},
      {"an odd spelling of ours", false, true, "GET", "/", {{"Host", "0x7f.1"}}, 0},
      {"beyond loopback any name", false, false, "GET", "/", {{"Host", "plane.example"}}, 0},
      {"no host at all", false, false, "GET", "/", {{"Host", "a b"}}, 400},
      {"user information", false, true, "GET", "/", {{"Host", "me@localhost"}}, 400},
      {"a token in the URL", false, true, "GET", "/v1/runs?token=x", {{"Host", "localhost"}}, 400},
      {"spelt otherwise", false, true, "GET", "/v1/runs?limit=1&Access_Token=x", {{"Host", "localhost"}}, 400},
      {"encoded", false, true, "GET", "/v1/runs?%74oken=x", {{"Host", "localhost"}}, 400},
      {"an innocent query", false, true, "GET", "/v1/runs?limit=1&cursor=token", {{"Host", "localhost"}}, 0},
      {"own origin", false, true, "POST", "/", {{"Host", "localhost:7172"}, {"Origin", "http://localhost:7172"}}, 0},
      {"own origin over TLS", true, false, "POST", "/", {{"Host", "plane.example"}, {"Origin", "https://plane.example"}}, 0},
      {"own origin, port written", true, false, "POST", "/", {{"Host", "plane.example:443"}, {"Origin", "https://plane.example"}}, 0},
      {"another port", false, true, "POST", "/", {{"Host", "localhost:7172"}, {"Origin", "http://localhost:3000"}}, 403},
      {"another scheme", true, false, "POST", "/", {{"Host", "plane.example"}, {"Origin", "http://plane.example"}}, 403},
      {"another site", false, true, "POST", "/", {{"Host", "localhost"}, {"Origin", "https://evil.example"}}, 403},
      {"an opaque origin", false, true, "POST", "/", {{"Host", "localhost"}, {"Origin", "null"}}, 403},
      {"two origins", false, true, "POST", "/", {{"Host", "localhost"}, {"Origin", "http://localhost"}, {"Origin", "http://evil"}}, 400},
      {"two authorizations", false, true, "GET", "/", {{"Host", "localhost"}, {"Authorization", "a"}, {"Authorization", "b"}}, 400},
      {"a picture on another site", false, true, "GET", "/", {{"Host", "localhost"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}}, 403},
      {"a link on another site", false, true, "GET", "/ui/", {{"Host", "localhost"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}}, 0},
      {"a form on another site", false, true, "POST", "/", {{"Host", "localhost"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}}, 403},
      {"continue", false, true, "POST", "/", {{"Host", "localhost"}, {"Expect", "100-Continue"}}, 0},
      {"another expectation", false, true, "POST", "/", {{"Host", "localhost"}, {"Expect", "200-ok"}}, 417},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto target = SplitTarget(c.target);
    ASSERT_TRUE(target);
    const auto refusal = CheckGate({.tls = c.tls, .loopback = c.loopback, .names = {"plane.internal"}},
                                   {.method = c.method, .target = c.target, .minor = 1, .fields = c.fields}, *target);
    EXPECT_EQ(refusal ? refusal->status : 0, c.status);
  }
}

TEST(Target, SplitsAsTheUrlStandardDoes) {
  const auto target = SplitTarget("/v1/export?since=2026-01-01T00%3A00%3a00Z&a=b+c&d&=e&&f=%zz%4");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/export");
  const std::vector<std::pair<std::string, std::string>> query = {
      {"since", "2026-01-01T00:00:00Z"}, {"a", "b c"}, {"d", ""}, {"", "e"}, {"f", "%zz%4"}};
  EXPECT_EQ(target->query, query);
  std::string many = "/?";
  for (int i = 0; i < 100; ++i) many += "a&";
  EXPECT_FALSE(SplitTarget(many));
}

TEST(Target, WhatIsLoggedHasNoValues) {
  const std::string logged = LoggedTarget(*SplitTarget("/v1/runs\x1b[31m?since=secret&x=%0ay"));
  EXPECT_EQ(logged, "/v1/runs\\u{1b}[31m?since=...&x=...");
  EXPECT_LE(LoggedTarget(*SplitTarget("/" + std::string(10000, 'a'))).size(), 310U);
}

}  // namespace
}  // namespace writ::http

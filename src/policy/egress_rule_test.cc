#include "policy/egress_rule.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/target_for_test.h"

namespace writ::policy {
namespace {

TEST(EgressRule, MatchesHostAndPort) {
  struct Case {
    const char *why, *rule, *host;
    std::uint16_t port;
    bool matches;
  };
  const Case cases[] = {
      {"exact", "example.org:443", "example.org", 443, true},
      {"another port", "example.org:443", "example.org", 80, false},
      {"no port is every port", "example.org", "example.org", 9, true},
      {"the target is normalised", "example.org", "EXAMPLE.org.", 1, true},
      {"the rule is normalised", "EXAMPLE.org.:1", "example.org", 1, true},
      {"international", "münchen.de", "xn--mnchen-3ya.de", 1, true},
      {"a subdomain is not implied", "example.org", "a.example.org", 1, false},
      {"the parent is not implied", "a.example.org", "example.org", 1, false},
      {"an ending is not a suffix", "example.org", "evilexample.org", 1, false},
      {"suffix", "*.example.org", "a.example.org", 1, true},
      {"suffix, deeper", "*.example.org", "a.b.example.org", 1, true},
      {"suffix with port", "*.example.org:443", "a.example.org", 443, true},
      {"suffix, another port", "*.example.org:443", "a.example.org", 444, false},
      {"suffix on a label border", "*.example.org", "evilexample.org", 1, false},
      {"suffix is not itself", "*.example.org", "example.org", 1, false},
      {"suffix in the middle", "*.example.org", "a.example.org.evil.test", 1, false},
      {"address", "192.0.2.1:80", "192.0.2.1", 80, true},
      {"address in another spelling", "192.0.2.1", "0xC0000201", 80, true},
      {"rule in another spelling", "0x7f000001", "127.0.0.1", 80, true},
      {"address is not mapped", "192.0.2.1", "[::ffff:192.0.2.1]", 80, false},
      {"range", "10.0.0.0/8", "10.255.0.1", 80, true},
      {"range with port", "10.0.0.0/8:5432", "10.255.0.1", 5432, true},
      {"range, another port", "10.0.0.0/8:5432", "10.255.0.1", 80, false},
      {"range does not hold names", "0.0.0.0/0", "example.org", 80, false},
      {"IPv6", "[2001:db8::1]:443", "2001:db8::1", 443, true},
      {"IPv6 without port", "[2001:db8::1]", "[2001:0db8::1]", 443, true},
      {"IPv6 range", "2001:db8::/32", "2001:db8::1", 443, true},
      {"IPv6 range with port", "2001:db8::/32:443", "2001:db8::1", 443, true},
      {"IPv6 range, another port", "2001:db8::/32:443", "2001:db8::1", 80, false},
      {"a name is no address", "example.org", "192.0.2.1", 80, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto rule = ParseEgressRule(c.rule);
    ASSERT_TRUE(rule) << rule.error().what;
    EXPECT_EQ(rule->text, c.rule);
    EXPECT_EQ(rule->Matches(To(c.host, c.port)), c.matches);
  }
}

TEST(EgressRule, RefusalsNameWhatWouldBeRight) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "HOST:PORT"},
      {"*", "--net open"},
      {"*:443", "--net open"},
      {"https://example.org", "HOST:PORT"},
      {"http://example.org:80/", "HOST:PORT"},
      {"example.org:", "1..65535"},
      {"example.org:0", "1..65535"},
      {"example.org:65536", "1..65535"},
      {"example.org:0443", "1..65535"},
      {"example.org:https", "1..65535"},
      {"example.org:443:1", "brackets"},
      {"2001:db8::1", "brackets"},
      {"2001:db8::1:443", "brackets"},
      {"[2001:db8::1", "]"},
      {"*.192.0.2.1", "range"},
      {"*.", "empty"},
      {"*..org", "empty label"},
      {"*.*.org", "character"},
      {"a.*.org", "character"},
      {"*example.org", "character"},
      {"user@example.org", "character"},
      {"10.1.2.3/8", "10.0.0.0/8"},
      {"10.0.0.0/33", "0..32"},
      {"example.org/path", "IP address"},
      {" example.org", "empty"},
      {"example.org ", "METHOD"},
      {"example.org GET", "METHOD"},
      {"example.org GET path", "starts with /"},
      {"example.org get /", "upper case"},
      {"example.org GET, /", "upper case"},
      {"example.org ,GET /", "upper case"},
      {"example.org GET,HEAD  /", "starts with /"},
      {"example.org GET /a?b", "decoded"},
      {"example.org GET /a%20b", "decoded"},
      {"example.org GET /a b", "decoded"},
      {"example.org GET /***", "***"},
      {"example.org GET /a/../b", "dot segment"},
      {"example.org GET /a//b", "empty segment"},
  };
  for (const auto& [text, hint] : cases) {
    SCOPED_TRACE(text);
    const auto rule = ParseEgressRule(text);
    ASSERT_FALSE(rule);
    EXPECT_EQ(rule.error().code, Code::kInvalid);
    EXPECT_NE(rule.error().what.find(text), std::string::npos);
    EXPECT_NE(rule.error().what.find(hint), std::string::npos) << rule.error().what;
  }
  EXPECT_FALSE(ParseEgressRule(std::string(kEgressRuleMax + 1, 'a')));
  EXPECT_FALSE(ParseEgressRule(std::string_view("a.org\0.evil", 11)));
}

TEST(EgressRule, RequestsByMethodAndPath) {
  const EgressRule rule = ParseEgressRule("packages.example:443 GET,HEAD /simple/**").value();
  EXPECT_TRUE(rule.by_request());
  EXPECT_TRUE(rule.GrantsRequest("GET", "/simple/"));
  EXPECT_TRUE(rule.GrantsRequest("HEAD", "/simple/a/b"));
  EXPECT_FALSE(rule.GrantsRequest("POST", "/simple/a"));
  EXPECT_FALSE(rule.GrantsRequest("get", "/simple/a"));
  EXPECT_FALSE(rule.GrantsRequest("GET", "/simple"));
  EXPECT_FALSE(rule.GrantsRequest("GET", "/simpler/"));
  EXPECT_TRUE(ParseEgressRule("packages.example * /x").value().GrantsRequest("PATCH", "/x"));
  EXPECT_FALSE(ParseEgressRule("packages.example").value().by_request());
}

TEST(PathGlob, Table) {
  struct Case {
    const char *glob, *path;
    bool matches;
  };
  for (const Case& c :
       {Case{"/", "/", true}, Case{"/", "/a", false}, Case{"/a", "/a", true}, Case{"/a", "/a/", false},
        Case{"/*", "/", true}, Case{"/*", "/a", true}, Case{"/*", "/a/b", false}, Case{"/**", "/", true},
        Case{"/**", "/a/b/c", true}, Case{"/a/*/c", "/a/b/c", true}, Case{"/a/*/c", "/a/b/b/c", false},
        Case{"/a/**/c", "/a/b/b/c", true}, Case{"/a*c", "/abbc", true}, Case{"/a*c", "/ab/c", false},
        Case{"/*.tar.gz", "/x.tar.gz", true}, Case{"/A", "/a", false}, Case{"/a**", "/a/b", true},
        Case{"/*a*a*a*b", "/aaaaaaaaaaaaaaaaaaaaaa", false}}) {
    EXPECT_EQ(PathGlobMatches(c.glob, c.path), c.matches) << c.glob << " " << c.path;
  }
}

/// The meaning of a glob, without any cleverness.
bool Means(std::string_view glob, std::string_view path) {
  if (glob.empty()) return path.empty();
  const bool across = glob.starts_with("**");
  if (glob[0] != '*') return !path.empty() && glob[0] == path[0] && Means(glob.substr(1), path.substr(1));
  const std::string_view rest = glob.substr(across ? 2 : 1);
  return Means(rest, path) || (!path.empty() && (across || path[0] != '/') && Means(glob, path.substr(1)));
}

TEST(PathGlob, EveryShortGlobMeansWhatItSays) {
  const auto words = [](std::string_view letters, std::size_t length_max) {
    std::vector<std::string> all = {""};
    for (std::size_t i = 0; i < all.size() && all[i].size() < length_max; ++i) {
      for (const char c : letters) all.push_back(all[i] + c);
    }
    return all;
  };
  const auto paths = words("ab/", 4);
  for (const std::string& glob : words("ab/*", 5)) {
    if (glob.find("***") != std::string::npos) continue;
    for (const std::string& path : paths) {
      ASSERT_EQ(PathGlobMatches(glob, path), Means(glob, path)) << glob << " " << path;
    }
  }
}

TEST(RequestPath, IsDecodedOnce) {
  EXPECT_EQ(DecodeRequestPath("/a/b?x=/../%2e").value(), "/a/b");
  EXPECT_EQ(DecodeRequestPath("/%61%20b/").value(), "/a b/");
  EXPECT_EQ(DecodeRequestPath("/%C3%BC").value(), "/ü");
  EXPECT_EQ(DecodeRequestPath("/...").value(), "/...");
  EXPECT_EQ(DecodeRequestPath("/a;v=1/b").value(), "/a;v=1/b");
}

TEST(RequestPath, RefusesWhatServersReadDifferently) {
  for (const std::string_view path :
       {"",          "a",        "*",         "http://x/", "/a/../b", "/a/..",     "/./a",     "/a/%2e%2e/b",
        "/a/.%2E/b", "/a/..;/b", "/a/..;x=1", "/a//b",     "//a",     "/a%2fb",    "/a%5Cb",   "/a\\b",
        "/a%252e",   "/a%25",    "/a%",       "/a%4",      "/a%zz",   "/a%00",     "/a%0d%0a", "/a\x01",
        "/a b",      "/a\x7F",   "/a#b",      "/a%23b",    "/a%ff",   "/a\xC0\xAF"}) {
    EXPECT_FALSE(DecodeRequestPath(path)) << path;
  }
  EXPECT_FALSE(DecodeRequestPath("/" + std::string(8192, 'a')));
}

}  // namespace
}  // namespace writ::policy

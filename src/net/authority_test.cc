#include "net/authority.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "canon/vectors_for_test.h"

namespace writ::net {
namespace {

TEST(ConnectAuthority, EveryRecordedCase) {
  const canon::Json file = test::VectorFile("connect-authority.json");
  const canon::Json* cases = file.Find("cases");
  ASSERT_NE(cases, nullptr);
  ASSERT_GE(cases->array().size(), 24U);
  for (const canon::Json& recorded : cases->array()) {
    const std::string& text = *recorded.FindString("authority");
    SCOPED_TRACE(text);
    const ConnectAuthority authority = ParseConnectAuthority(text);
    EXPECT_EQ(authority.host, *recorded.FindString("host"));
    EXPECT_EQ(authority.port, recorded.Find("port")->number());
  }
}

TEST(ConnectAuthority, OnlyPortsThatExistCanBeUsed) {
  EXPECT_EQ(ParseConnectAuthority("h:443").UsablePort(), 443);
  EXPECT_EQ(ParseConnectAuthority("h:0x1BB").UsablePort(), 443);
  EXPECT_EQ(ParseConnectAuthority("h:0b1").UsablePort(), 1);
  EXPECT_EQ(ParseConnectAuthority("h:0o17").UsablePort(), 15);
  EXPECT_EQ(ParseConnectAuthority("h:+8.e1").UsablePort(), 80);
  EXPECT_EQ(ParseConnectAuthority("h:65535").UsablePort(), 65535);
  for (const std::string_view text :
       {"h:0", "h:-1", "h:65536", "h:1.5", "h:1e999", "h:1e-999", "h:Infinity", "h:-Infinity", "[::1]:"}) {
    EXPECT_FALSE(ParseConnectAuthority(text).UsablePort()) << text;
  }
  for (const std::string_view text : {"h:1_0", "h:inf", "h:nan", "h:--1", "h:+-1", "h:0x", "h:0x-1", "h:1e", "h:1 2"}) {
    EXPECT_EQ(ParseConnectAuthority(text).port, 443) << text;  // unreadable: the default, as recorded for "abc"
  }
}

TEST(Attack19_Authorities, LenientReadingNeverMakesAnotherHostOfIt) {
  for (const std::string_view text :
       {"user@example.org:443", "evil.test\\.example.org:443", "example.org%00.evil.test:443", "[::1", "::1", "",
        ":443", "a:b:c", "[::1%lo]:1", "http://example.org:443"}) {
    const ConnectAuthority authority = ParseConnectAuthority(text);
    EXPECT_FALSE(NormaliseHost(authority.host)) << text << " gives " << authority.host;
  }
  for (const std::string_view text : {"example.org:443@evil.test", "[example.org]:443", "[example.org]@evil.test"}) {
    EXPECT_EQ(ParseConnectAuthority(text).host, "example.org")
        << text;  // judged and connected as that, whatever follows
    EXPECT_EQ(ParseConnectAuthority(text).port, 443) << text;
  }
  const std::string_view nul("example.org\0.evil.test:443", 26);
  EXPECT_FALSE(NormaliseHost(ParseConnectAuthority(nul).host));
}

TEST(ParseAuthority, ReadsHostAndPort) {
  const Authority plain = ParseAuthority("EXAMPLE.org.:8080").value();
  EXPECT_EQ(plain.host.name, "example.org");
  EXPECT_EQ(plain.hostname, "example.org.");
  EXPECT_EQ(plain.port, 8080);
  EXPECT_EQ(ParseAuthority("example.org").value().port, std::nullopt);
  EXPECT_EQ(ParseAuthority("example.org:").value().port, std::nullopt);
  const Authority v6 = ParseAuthority("[2001:DB8::1]:443").value();
  EXPECT_EQ(v6.host.address->ToText(), "2001:db8::1");
  EXPECT_EQ(v6.hostname, "[2001:db8::1]");
  EXPECT_EQ(v6.port, 443);
  EXPECT_EQ(ParseAuthority("127.1.:1").value().hostname, "127.0.0.1");
}

TEST(Attack19_Authorities, StrictReadingRefuses) {
  for (const std::string_view text :
       {"",      ":80",       "a:0",     "a:65536", "a:080",  "a:+80", "a:-1",    "a: 80",
        "a:80 ", "a:8o",      "a:80:90", "::1",     "::1:80", "[::1",  "[::1]80", "[::1]:x",
        "[]:80", "user@a:80", "a@b",     "a:b@c",   "a/b",    "a?b",   "a#b",     "a:99999999999999999999"}) {
    EXPECT_FALSE(ParseAuthority(text)) << text;
  }
}

}  // namespace
}  // namespace writ::net

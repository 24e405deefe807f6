#include "net/host_name.h"

#include <gtest/gtest.h>

#include <string>

namespace writ::net {
namespace {

TEST(NormaliseHost, GivesEverySpellingOfANameOneForm) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"example.org", "example.org"},
      {"EXAMPLE.Org", "example.org"},
      {"example.org.", "example.org"},
      {"localhost", "localhost"},
      {"_dmarc.example.org", "_dmarc.example.org"},
      {"a--b.r3---sn.example", "a--b.r3---sn.example"},
      {"1.example", "1.example"},
      {"0x7g", "0x7g"},
      {"1e3", "1e3"},
      {"xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
      {"XN--MNCHEN-3YA.DE", "xn--mnchen-3ya.de"},
      {"münchen.de", "xn--mnchen-3ya.de"},
      {"MÜNCHEN.de", "xn--mnchen-3ya.de"},
      {"mu\xCC\x88nchen.de", "xn--mnchen-3ya.de"},  // decomposed
      {"faß.de", "xn--fa-hia.de"},                  // not "fass.de"
      {"example。org", "example.org"},              // ideographic full stop
      {"ｅｘａｍｐｌｅ.org", "example.org"},        // full width
      {"ex\xC2\xAD"
       "ample.org",
       "example.org"},  // soft hyphen is ignored, as everywhere
      {"日本語。ＪＰ", "xn--wgv71a119e.jp"},
  };
  for (const auto& [text, name] : cases) {
    SCOPED_TRACE(text);
    const auto host = NormaliseHost(text);
    ASSERT_TRUE(host) << host.error().what;
    EXPECT_EQ(host->name, name);
    EXPECT_FALSE(host->address);
    EXPECT_EQ(NormaliseHost(host->name).value(), *host);  // once is enough
  }
}

TEST(Attack19_HostNames, NumbersAreAddresses) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"127.0.0.1", "127.0.0.1"},
      {"127.0.0.1.", "127.0.0.1"},
      {"127.1", "127.0.0.1"},
      {"127.0.1", "127.0.0.1"},
      {"127.65535", "127.0.255.255"},
      {"2130706433", "127.0.0.1"},
      {"0x7f000001", "127.0.0.1"},
      {"0X7F000001", "127.0.0.1"},
      {"0x7F.1", "127.0.0.1"},
      {"0x7f.0x0.0x0.0x1", "127.0.0.1"},
      {"0177.0.0.1", "127.0.0.1"},
      {"017700000001", "127.0.0.1"},
      {"00000000177.0.0.1", "127.0.0.1"},
      {"0", "0.0.0.0"},
      {"0x", "0.0.0.0"},
      {"4294967295", "255.255.255.255"},
      {"0xa9fea9fe", "169.254.169.254"},
      {"１２７.0.0.1", "127.0.0.1"},  // full width digits
      {"①②⑦.0.0.1", "127.0.0.1"},     // circled digits
      {"127。0。0。1", "127.0.0.1"},  // ideographic full stops
      {"[::1]", "::1"},
      {"::1", "::1"},
      {"[0:0:0:0:0:0:0:1]", "::1"},
      {"[::FFFF:127.0.0.1]", "::ffff:7f00:1"},
      {"2001:DB8::1", "2001:db8::1"},
  };
  for (const auto& [text, address] : cases) {
    SCOPED_TRACE(text);
    const auto host = NormaliseHost(text);
    ASSERT_TRUE(host) << host.error().what;
    ASSERT_TRUE(host->address);
    EXPECT_EQ(host->address->ToText(), address);
    EXPECT_EQ(host->name, "");
    EXPECT_EQ(NormaliseHost(host->ToUrlText()).value(), *host);
  }
}

TEST(Attack19_HostNames, Refused) {
  using namespace std::string_view_literals;
  const std::string label63(63, 'a');
  const std::string name253 = label63 + "." + label63 + "." + label63 + "." + std::string(61, 'a');
  EXPECT_TRUE(NormaliseHost(name253));
  EXPECT_TRUE(NormaliseHost(name253 + "."));
  const std::string too_long_name = name253 + "a";
  const std::string too_long_label = label63 + "a.org";
  const std::string flood(1 << 20, 'a');
  const std::string_view cases[] = {
      "",
      ".",
      "..",
      "a..b",
      ".a",
      "example.org..",
      "a b",
      " example.org",
      "example.org ",
      "example.org\t",
      "example.org\r\n",
      "ex\x01mple.org",
      "ex\x7Fmple.org",
      "evil.test\0.example.org"sv,
      "\0"sv,
      "example.org%00.evil.test",
      "ex%61mple.org",
      "%65xample.org",
      "user@example.org",
      "example.org/evil",
      "example.org\\evil",
      "example.org:443",
      "[example.org]",
      "[127.0.0.1]",
      "[::1",
      "::1]",
      "[]",
      "[",
      "[::1%lo]",
      "[::1%25lo]",
      "fe80::1%eth0",
      "[[::1]]",
      "[::1]x",
      "1.2.3.4.5",
      "256.256.256.256",
      "1.2.3.256",
      "4294967296",
      "99999999999999999999999",
      "0x100000000",
      "1.2.65536",
      "foo.1",
      "foo.0x1",
      "1..2",
      "08.0.0.1",
      "0xg.0",
      "a.b.09",
      "*.example.org",
      "example.org#",
      "example.org?",
      "ex!ample",
      "a,b",
      "a;b",
      "a<b",
      "a\"b",
      "a'b",
      "\xFF\xFE",
      "ex\xC0\xAFmple",
      "xn--",
      "xn--a.example",
      "xn--0.example",
      "xn--example-.org\xC2\xA0",
      "ex\xE2\x80\xAEmple.org",
      "ex\xE2\x84\x80mple.org",             // bidi override; U+2100 becomes a/c
      "evil.test\xEF\xBC\x8F.example.org",  // full width solidus
      "evil.test\xEF\xBC\x85"
      "00.example.org",  // full width percent
      "evil.test\xEF\xBC\xA0"
      "example.org",  // full width @
      too_long_name,
      too_long_label,
      flood,
  };
  for (const std::string_view text : cases) {
    SCOPED_TRACE(text.substr(0, 100));
    const auto host = NormaliseHost(text);
    EXPECT_FALSE(host) << host->ToText();
    EXPECT_TRUE(host.has_value() || host.error().code == Code::kInvalid);
  }
}

TEST(Attack19_HostNames, LookAlikesStayDifferentNames) {
  EXPECT_EQ(NormaliseHost("exаmple.org").value().name, "xn--exmple-4nf.org");  // Cyrillic a
  EXPECT_NE(NormaliseHost("xn--exmple-4nf.org").value().name, "example.org");
}

}  // namespace
}  // namespace writ::net

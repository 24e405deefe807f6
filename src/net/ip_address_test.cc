#include "net/ip_address.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <unordered_set>

#include "net/addresses_for_test.h"

namespace writ::net {
namespace {

TEST(IpAddress, ReadsAndWritesOneTextPerAddress) {
  const std::map<std::string, std::string> cases = {
      {"0.0.0.0", "0.0.0.0"},
      {"192.0.2.255", "192.0.2.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"fe80::", "fe80::"},
      {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
      {"::ffff:192.0.2.1", "::ffff:c000:201"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (const auto& [text, canonical] : cases) {
    SCOPED_TRACE(text);
    EXPECT_EQ(Ip(text).ToText(), canonical);
    EXPECT_EQ(Ip(canonical), Ip(text));
  }
  EXPECT_EQ(Ip("::1").ToUrlText(), "[::1]");
  EXPECT_EQ(Ip("127.0.0.1").ToUrlText(), "127.0.0.1");
}

TEST(IpAddress, RefusesEveryOtherText) {
  for (const std::string_view text : {"",
                                      " ",
                                      "1",
                                      "127.1",
                                      "1.2.3",
                                      "1.2.3.4.",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "01.2.3.4",
                                      "1.2.3.256",
                                      "0x7f.0.0.1",
                                      "1.2.3.4/32",
                                      "[::1]",
                                      "::1%lo",
                                      "::1%25lo",
                                      ":::",
                                      "1:2:3:4:5:6:7:8:9",
                                      "12345::",
                                      "::g",
                                      "localhost",
                                      "1.2.3.4.5",
                                      "::ffff:1.2.3.256",
                                      "1.2.3.-4",
                                      "+1.2.3.4"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(IpAddress::FromText(text));
  }
  EXPECT_FALSE(IpAddress::FromText(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(IpAddress::FromText(std::string_view("1.2.3.4\0.example.org", 20)));
  EXPECT_FALSE(IpAddress::FromText(std::string(1 << 20, '1')));
}

TEST(IpAddress, GoesThroughSocketAddresses) {
  for (const std::string_view text : {"192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"}) {
    SCOPED_TRACE(text);
    sockaddr_storage storage{};
    const socklen_t length = Ip(text).ToSockaddr(443, storage);
    EXPECT_EQ(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&storage), length).value(), Ip(text));
    EXPECT_FALSE(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&storage), length - 1));
    EXPECT_EQ(IpAddress::FromBytes(Ip(text).bytes()).value(), Ip(text));
  }
  sockaddr_storage zoned{};
  const socklen_t length = Ip("fe80::1").ToSockaddr(1, zoned);
  reinterpret_cast<sockaddr_in6*>(&zoned)->sin6_scope_id = 2;
  EXPECT_FALSE(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&zoned), length));
  sockaddr_storage local{};
  local.ss_family = AF_UNIX;
  EXPECT_FALSE(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&local), sizeof(local)));
  EXPECT_FALSE(IpAddress::FromSockaddr(nullptr, 0));
  EXPECT_FALSE(IpAddress::FromBytes({}));
}

TEST(IpAddress, IsOrderedAndHashed) {
  EXPECT_LT(Ip("9.0.0.0"), Ip("10.0.0.0"));
  EXPECT_LT(Ip("255.255.255.255"), Ip("::"));
  EXPECT_NE(Ip("1.2.3.4"), Ip("::ffff:1.2.3.4"));
  const std::unordered_set<IpAddress> set = {Ip("1.2.3.4"), Ip("1.2.3.4"), Ip("::1")};
  EXPECT_EQ(set.size(), 2U);
}

TEST(Cidr, ContainsWhatThePrefixSays) {
  struct Case {
    const char *range, *inside, *outside;
  };
  for (const Case& c :
       {Case{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"}, Case{"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
        Case{"0.0.0.0/0", "255.1.2.3", "::"}, Case{"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        Case{"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"}, Case{"::/0", "::1", "1.2.3.4"},
        Case{"fd00::1/128", "fd00::1", "fd00::2"}, Case{"10.0.0.0/8", "10.0.0.1", "::ffff:10.0.0.1"}}) {
    SCOPED_TRACE(c.range);
    const Cidr range = Cidr::FromText(c.range).value();
    EXPECT_TRUE(range.Contains(Ip(c.inside)));
    EXPECT_FALSE(range.Contains(Ip(c.outside)));
    EXPECT_EQ(Cidr::FromText(range.ToText()).value(), range);
  }
}

TEST(Cidr, RefusesOtherTextsAndSaysWhatWouldBeRight) {
  for (const std::string_view text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/+8",
                                      "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/99999999999", "10/8", "10.0.0.0/8 "}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(Cidr::FromText(text));
  }
  EXPECT_NE(Cidr::FromText("10.1.2.3/8").error().what.find("10.0.0.0/8"), std::string::npos);
}

TEST(Attack20_AddressClasses, Table) {
  struct Case {
    const char* address;
    AddressClass expected;
  };
  using enum AddressClass;
  const Case cases[] = {
      // Reachable by everybody, and the neighbours of the ranges below.
      {"1.1.1.1", kPublic},
      {"9.255.255.255", kPublic},
      {"11.0.0.0", kPublic},
      {"100.63.255.255", kPublic},
      {"100.128.0.0", kPublic},
      {"126.255.255.255", kPublic},
      {"128.0.0.0", kPublic},
      {"169.253.255.255", kPublic},
      {"169.255.0.0", kPublic},
      {"172.15.255.255", kPublic},
      {"172.32.0.0", kPublic},
      {"192.0.1.0", kPublic},
      {"192.167.255.255", kPublic},
      {"192.169.0.0", kPublic},
      {"198.17.255.255", kPublic},
      {"198.20.0.0", kPublic},
      {"223.255.255.255", kPublic},
      {"168.63.129.15", kPublic},
      {"2606:4700::1111", kPublic},
      {"2620::1", kPublic},
      // The own host.
      {"0.0.0.0", kUnspecified},
      {"0.1.2.3", kUnspecified},
      {"::", kUnspecified},
      {"127.0.0.1", kLoopback},
      {"127.255.255.254", kLoopback},
      {"::1", kLoopback},
      // Private, link-local, shared.
      {"10.0.0.1", kPrivate},
      {"172.16.0.1", kPrivate},
      {"172.31.255.255", kPrivate},
      {"192.168.1.1", kPrivate},
      {"fc00::1", kPrivate},
      {"fdff:ffff::1", kPrivate},
      {"fec0::1", kPrivate},
      {"169.254.0.1", kLinkLocal},
      {"fe80::1", kLinkLocal},
      {"febf::1", kLinkLocal},
      {"100.64.0.1", kSharedNat},
      {"100.127.255.255", kSharedNat},
      // Metadata.
      {"169.254.169.254", kMetadata},
      {"169.254.170.2", kMetadata},
      {"169.254.170.23", kMetadata},
      {"100.100.100.200", kMetadata},
      {"192.0.0.192", kMetadata},
      {"168.63.129.16", kMetadata},
      {"fd00:ec2::254", kMetadata},
      {"fd00:ec2::23", kMetadata},
      {"fd20:ce::254", kMetadata},
      {"fe80::a9fe:a9fe", kMetadata},
      // Multicast, broadcast, reserved, documentation.
      {"224.0.0.1", kMulticast},
      {"239.255.255.255", kMulticast},
      {"ff02::1", kMulticast},
      {"ff0e::1", kMulticast},
      {"255.255.255.255", kBroadcast},
      {"240.0.0.1", kReserved},
      {"255.255.255.254", kReserved},
      {"192.0.0.8", kReserved},
      {"192.0.2.1", kReserved},
      {"198.51.100.1", kReserved},
      {"203.0.113.1", kReserved},
      {"198.18.0.1", kReserved},
      {"198.19.255.255", kReserved},
      {"192.88.99.1", kReserved},
      {"100::1", kReserved},
      {"2001:1::1", kReserved},
      {"2001:20::1", kReserved},
      {"2001:db8::1", kReserved},
      {"3fff::1", kReserved},
      {"5f00::1", kReserved},
      {"4000::1", kReserved},
      {"200::1", kReserved},
      {"3ffe::1", kReserved},
      // Forms that carry an IPv4 address.
      {"::ffff:1.1.1.1", kMapped},
      {"::ffff:10.0.0.1", kPrivate},
      {"::ffff:127.0.0.1", kLoopback},
      {"::ffff:169.254.169.254", kMetadata},
      {"::ffff:0.0.0.0", kUnspecified},
      {"::ffff:7f00:1", kLoopback},
      {"::1.1.1.1", kMapped},
      {"::10.0.0.1", kPrivate},
      {"::127.0.0.1", kLoopback},
      {"::2", kUnspecified},
      {"::ffff:0:1.1.1.1", kMapped},
      {"::ffff:0:10.0.0.1", kPrivate},
      {"64:ff9b::1.1.1.1", kPublic},
      {"64:ff9b::10.0.0.1", kPrivate},
      {"64:ff9b::169.254.169.254", kMetadata},
      {"64:ff9b:1::1.1.1.1", kPrivate},
      {"64:ff9b:1::127.0.0.1", kLoopback},
      {"64:ff9b:1:fffe::127.0.0.1", kLoopback},
      {"64:ff9b:2::1", kReserved},
      {"2002:101:101::1", kMapped},
      {"2002:a00:1::", kPrivate},
      {"2002:7f00:1::", kLoopback},
      {"2002:a9fe:a9fe::", kMetadata},
      {"2001:0:101:101::fefe:fefe", kMapped},
      {"2001:0:a00:1::fefe:fefe", kPrivate},
      {"2001:0:101:101::80ff:fffe", kLoopback},  // client 127.0.0.1, inverted
      {"2606:4700::5efe:7f00:1", kLoopback},
      {"2606:4700::200:5efe:a00:1", kPrivate},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(AddressClassName(Classify(Ip(c.address))), AddressClassName(c.expected)) << c.address;
  }
}

}  // namespace
}  // namespace writ::net

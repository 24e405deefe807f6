#include "egress/resolver_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/addresses_for_test.h"

namespace writ::egress {
namespace {

using testing::ElementsAre;

using net::Ip;

TEST(ResolverFiles, HostsLinesAreReadAsTheCLibraryDoes) {
  ResolverFiles files;
  ReadHosts(
      "127.0.0.1 localhost  Local.Test # comment other\r\n\n::1\tlocalhost\n#9.9.9.9 x\nnonsense a.test\n"
      "10.1.2.3 a.test a.test 0x7f000001 bad\x01name",
      files);
  EXPECT_EQ(files.hosts.size(), 3U);
  EXPECT_THAT(files.hosts["localhost"], ElementsAre(Ip("127.0.0.1"), Ip("::1")));
  EXPECT_THAT(files.hosts["local.test"], ElementsAre(Ip("127.0.0.1")));
  EXPECT_THAT(files.hosts["a.test"], ElementsAre(Ip("10.1.2.3")));
}

TEST(ResolverFiles, ResolvConfGivesServersAndTimes) {
  ResolverFiles files;
  ReadResolvConf(
      "; c\nsearch corp.test\nnameserver 10.0.0.1 # x\nnameserver ::2\nnameserver fe80::1%eth0\n"
      "nameserver 10.0.0.3\nnameserver 10.0.0.4\noptions ndots:5 timeout:7 attempts:3 rotate\n",
      files);
  EXPECT_THAT(files.nameservers, ElementsAre(Ip("10.0.0.1"), Ip("::2"), Ip("10.0.0.3")));
  EXPECT_EQ(files.attempt_timeout, Millis(7000));
  EXPECT_EQ(files.rounds, 3U);
}

TEST(ResolverFiles, ImpossibleOptionsAreSkipped) {
  ResolverFiles files;
  ReadResolvConf("options timeout:0 attempts:99999999999999999999\noptions timeout: attempts:-1\nnameserver\n", files);
  EXPECT_TRUE(files.nameservers.empty());
  EXPECT_EQ(files.attempt_timeout, ResolverFiles().attempt_timeout);
  EXPECT_EQ(files.rounds, ResolverFiles().rounds);
}

}  // namespace
}  // namespace writ::egress

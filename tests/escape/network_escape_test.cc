// Attempts to reach anything over a network.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "escape_for_test.h"

namespace writ::escape {
namespace {

using NetworkEscape = EscapeTest;

TEST_F(NetworkEscape, Attack25_NothingGetsOutWithoutAnyProxy) {
  // A listener of the host on every address: the cell's loopback is another one.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 8), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  const auto run = Run("network", {"127.0.0.1:" + port, "0.0.0.0:" + port, "[::ffff:127.0.0.1]:" + port, "127.0.0.1:7172"});
  EXPECT_EQ(::accept(listener, nullptr, nullptr), -1) << "the guest reached a listener of the host";
  ::close(listener);
  // A datagram to one's own loopback is accepted by the kernel and reaches nobody.
  for (const char* name : {"tcp 1.1.1.1:53", "udp 1.1.1.1:53", "tcp 169.254.169.254:80", "udp 224.0.0.251:5353", "tcp [fe80::1]:80"})
    EXPECT_THAT(run.Line(name), testing::StartsWith("refused E")) << name;
  EXPECT_EQ(run.Line("tcp 127.0.0.1:" + port), "refused ECONNREFUSED");
  EXPECT_EQ(run.Line("interfaces-beside-lo"), "refused NONE");
  EXPECT_EQ(run.Line("configure-interface"), "refused EPERM");
}

TEST_F(NetworkEscape, Attack24_SocketFamiliesThatLeadElsewhere) {
  const auto run = Run("network");
  for (const char* name : {"raw-icmp", "raw-tcp", "raw-6"}) EXPECT_EQ(run.Line(std::string("socket-") + name), "refused EPERM");
  for (const char* name : {"packet", "vsock-stream", "vsock-dgram", "alg", "bluetooth", "tipc", "xdp", "key"})
    EXPECT_EQ(run.Line(std::string("socket-") + name), "refused EAFNOSUPPORT") << name;
  for (const char* name : {"netlink-netfilter", "netlink-xfrm", "netlink-generic", "sctp", "mptcp", "ping", "packet-old"})
    EXPECT_EQ(run.Line(std::string("socket-") + name), "refused EPROTONOSUPPORT") << name;
}

}  // namespace
}  // namespace writ::escape

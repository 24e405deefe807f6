#include "http/listener.h"

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "http/server_for_test.h"

namespace writ::http {
namespace {

using testing::HasSubstr;

/// The first port of this host for which no privilege is needed.
int UnprivilegedPort() {
  int port = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> port;
  return port;
}

/// A free port below 1024, or 0.
std::uint16_t LowPort() {
  for (std::uint16_t port = 1023; port > 900; --port)
    if (const auto listener = BindListener("127.0.0.1", port)) return port;
  return 0;
}

TEST(Listener, ServesOnAPortBelow1024ThatWasTakenBefore) {
  const std::uint16_t port = LowPort();
  if (port == 0) GTEST_SKIP() << "this user may not use ports below 1024";
  FakeService service;
  auto listener = BindListener("localhost", port);
  ASSERT_TRUE(listener) << listener.error().what;
  EXPECT_TRUE(listener->loopback);
  const auto server = Server::Start({}, service, *std::move(listener));
  ASSERT_TRUE(server) << server.error().what;
  EXPECT_EQ((*server)->port(), port);
}

TEST(Listener, SaysWhatAPortBelow1024Needs) {
  const std::uint16_t port = LowPort();
  if (port == 0 || UnprivilegedPort() < 1024) GTEST_SKIP() << "nothing to lose here";
  const pid_t child = ::fork();
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    if (::syscall(SYS_capset, &header, none) != 0) ::_exit(2);
    const auto listener = BindListener("127.0.0.1", port);
    if (listener || listener.error().code != Code::kDenied) ::_exit(3);
    ::_exit(listener.error().what.contains("a port below 1024 takes root or CAP_NET_BIND_SERVICE") ? 0 : 4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Listener, RefusesWhatIsNoAddressOfThisMachine) {
  EXPECT_EQ(BindListener("example.org", 0).error().code, Code::kInvalid);
  EXPECT_EQ(BindListener("192.0.2.1", 0).error().code, Code::kUnavailable);
  const auto taken = BindListener("127.0.0.1", 0);
  ASSERT_TRUE(taken);
  EXPECT_GT(taken->port, 0);
  if (const auto six = BindListener("::1", 0)) {
    EXPECT_TRUE(six->ipv6);
    EXPECT_TRUE(six->loopback);
  }
}

}  // namespace
}  // namespace writ::http

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>

#include <cstdlib>

#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

constexpr const char* kSetUp =
    "export PATH=$PATH:/usr/sbin:/sbin && ip link set lo up && ip route add default dev lo && "
    "ip -6 route add default dev lo && "
    "printf 'table inet t {\\n chain o {\\n  type nat hook output priority -100;\\n  tcp dport 443 redirect to "
    ":9999\\n }\\n}\\n' "
    "| nft -f -";

/// Connects to `to` in this namespace, where the port is redirected, and asks where the connection was going.
Result<Endpoint> AskRedirected(const Endpoint& to, const char* any) {
  sockaddr_storage storage{};
  const socklen_t length = Ip(any).ToSockaddr(9999, storage);
  sys::UniqueFd listener(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) return FailErrno("bind");
  if (::listen(listener.get(), 1) != 0) return FailErrno("listen");
  const auto client = WRIT_TRY("connect", StartConnect(to));
  const sys::UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!accepted.valid()) return FailErrno("accept");
  return RedirectedFrom(accepted.get());
}

/// In a network namespace of its own: 0 as it should be, 1 not, 2 there can be no such namespace here.
int InNamespace() {
  const int flags = CLONE_NEWNET | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
  if (::unshare(flags) != 0 || std::system(kSetUp) != 0) return 2;
  ::alarm(30);
  for (const auto& [to, any] :
       {std::pair{Endpoint{Ip("192.0.2.34"), 443}, "0.0.0.0"}, std::pair{Endpoint{Ip("2001:db8::5"), 443}, "::1"}}) {
    const auto from = AskRedirected(to, any);
    if (!from) std::fprintf(stderr, "%s\n", from.error().what.c_str());
    if (!from || *from != to) return 1;
  }
  return 0;
}

TEST(Redirect, Attack25_NetfilterTellsWhereAConnectionWasGoing) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(InNamespace());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "needs a network namespace, ip and nft";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Redirect, AConnectionThatWasNotRedirectedSaysSo) {
  Upstream upstream;
  Peer client = ConnectTo(upstream.endpoint());
  EXPECT_FALSE(RedirectedFrom(upstream.Accept().fd()));
}

}  // namespace
}  // namespace writ::egress::test

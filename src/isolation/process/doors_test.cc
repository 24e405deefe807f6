// The listeners inside a cell's network namespace: what a guest opens arrives there, and nothing leaves another way.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "isolation/process/process_backend.h"
#include "isolation/process/text_sink_for_test.h"
#include "isolation/test_user_for_test.h"
#include "sys/socket.h"

namespace writ::isolation::process {
namespace {

using testing::HasSubstr;

constexpr int kOriginalDestination6 = 80;  // IP6T_SO_ORIGINAL_DST; its header clashes with <netinet/in.h>

std::string TextOf(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const bool v6 = address.ss_family == AF_INET6;
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
  ::inet_ntop(address.ss_family, v6 ? static_cast<const void*>(&six.sin6_addr) : &v4.sin_addr, text, sizeof text);
  return fmt::format("{} {}", text, ntohs(v6 ? six.sin6_port : v4.sin_port));
}

/// In cells made for the run, and in those prepared ahead, whose PID 1 makes the doors before it knows the launch.
class ProcessTierDoors : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    BecomeTestUser();
    auto made = ProcessBackend::Create({.path = WRIT_BIN_DIR "/writ-jail", .warm_cells = GetParam(), .delegated_cgroup = ""});
    ASSERT_TRUE(made) << made.error().what;
    backend_ = std::move(*made);
  }

  /// Starts the guest `dial` and takes the doors.
  void Dial(std::vector<std::string> arguments, bool doors = true) {
    SessionSpec spec;
    spec.argv = {"/in/dial"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.env = {"PATH=/usr/bin:/bin"};
    spec.limits.wall_time = Millis{30'000};
    spec.doors = doors;
    spec.accepted = {{"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}, {"groups", "kept"}};
    Layer guests;
    guests.host_path = WRIT_BIN_DIR "/guests";
    guests.fd = sys::UniqueFd{::open(WRIT_BIN_DIR "/guests", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    spec.inputs = std::move(guests);
    auto session = backend_->Start(std::move(spec), sink_);
    ASSERT_TRUE(session) << session.error().what;
    session_ = std::move(*session);
    if (!doors) return;
    auto taken = session_->TakeDoors();
    ASSERT_TRUE(taken) << taken.error().what;
    doors_ = std::move(*taken);
  }

  /// What the guest printed, after its end.
  std::string Answer() {
    const auto outcome = session_->Wait(Deadline::After(Millis{60'000}));
    EXPECT_TRUE(outcome) << outcome.error().what;
    return sink_.text;
  }

  /// Accepts one connection, answers with where it was meant to go, and closes it.
  static std::string Serve(const sys::UniqueFd& listener) {
    if (!sys::WaitReadable(listener.get(), Deadline::After(Millis{20'000}))) return "nobody came";
    const sys::UniqueFd connection{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    sockaddr_storage to{};
    socklen_t length = sizeof to;
    if (::getsockopt(connection.get(), IPPROTO_IP, SO_ORIGINAL_DST, &to, &length) != 0) {
      length = sizeof to;
      if (::getsockopt(connection.get(), IPPROTO_IPV6, kOriginalDestination6, &to, &length) != 0) return "no destination";
    }
    const std::string text = TextOf(to);
    return ::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0 ? text : "not sent";
  }

  TextSink sink_;
  std::unique_ptr<ProcessBackend> backend_;
  std::unique_ptr<Session> session_;
  NetworkDoors doors_;
};

TEST_P(ProcessTierDoors, AConnectionToAnywhereArrivesWithItsDestination) {
  Dial({"tcp", "93.184.216.34", "443"});
  EXPECT_EQ(Serve(doors_.transparent4), "93.184.216.34 443");
  EXPECT_THAT(Answer(), HasSubstr("dial: reached 93.184.216.34 443"));
  EXPECT_EQ(session_->guarantees().enforced.at("network"), "netns+proxy");
}

TEST_P(ProcessTierDoors, AConnectionOverIpv6ArrivesToo) {
  if (::access("/proc/sys/net/ipv6", F_OK) != 0) GTEST_SKIP() << "this kernel has no IPv6";
  Dial({"tcp", "2001:db8::7", "22"});
  EXPECT_EQ(Serve(doors_.transparent6), "2001:db8::7 22");
  EXPECT_THAT(Answer(), HasSubstr("dial: reached 2001:db8::7 22"));
}

TEST_P(ProcessTierDoors, TheProxyIsAtItsPort) {
  Dial({"tcp", "127.0.0.1", std::to_string(kProxyPort)});
  ASSERT_TRUE(sys::WaitReadable(doors_.proxy.get(), Deadline::After(Millis{20'000})));
  {
    const sys::UniqueFd connection{::accept4(doors_.proxy.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    ASSERT_EQ(::send(connection.get(), "proxy", 5, MSG_NOSIGNAL), 5);
  }
  EXPECT_THAT(Answer(), HasSubstr("dial: reached proxy"));
}

TEST_P(ProcessTierDoors, AQuestionToAnyResolverArrives) {
  for (const char* resolver : {"8.8.8.8", "127.0.0.1"}) {
    SCOPED_TRACE(resolver);
    sink_.text.clear();
    Dial({"udp", resolver, "53", "question"});
    ASSERT_TRUE(sys::WaitReadable(doors_.dns_udp4.get(), Deadline::After(Millis{20'000})));
    char question[64];
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const ssize_t got = ::recvfrom(doors_.dns_udp4.get(), question, sizeof question, 0, reinterpret_cast<sockaddr*>(&from), &length);
    ASSERT_EQ(std::string(question, got > 0 ? static_cast<std::size_t>(got) : 0), "question");
    ASSERT_EQ(::sendto(doors_.dns_udp4.get(), "answer", 6, 0, reinterpret_cast<const sockaddr*>(&from), length), 6);
    EXPECT_THAT(Answer(), HasSubstr("dial: reached answer"));
  }
}

TEST_P(ProcessTierDoors, Attack24_OtherDatagramsAreRefused) {
  for (const char* address : {"1.2.3.4", "169.254.169.254", "224.0.0.251"}) {
    SCOPED_TRACE(address);
    sink_.text.clear();
    Dial({"udp", address, "443", "quic"});
    EXPECT_THAT(Answer(), HasSubstr("dial: refused EPERM"));
  }
}

TEST_P(ProcessTierDoors, TheOwnLoopbackIsTheGuestsOwn) {
  Dial({"self"});
  EXPECT_THAT(Answer(), HasSubstr("dial: reached itself\ndial: reached itself"));
}

TEST_P(ProcessTierDoors, Attack25_WithoutDoorsThereIsNoWayOut) {
  Dial({"tcp", "93.184.216.34", "443"}, false);
  EXPECT_THAT(Answer(), HasSubstr("dial: refused ENETUNREACH"));
  const auto doors = session_->TakeDoors();
  ASSERT_FALSE(doors);
  EXPECT_EQ(doors.error().code, Code::kUnavailable);
  EXPECT_EQ(session_->guarantees().enforced.at("network"), "netns");
}

TEST_P(ProcessTierDoors, ConnectionsWaitUntilTheyAreServedAndEndWithTheDoors) {
  Dial({"tcp", "93.184.216.34", "443", "hello"});
  doors_ = NetworkDoors();  // nobody ever serves them
  EXPECT_THAT(Answer(), testing::AnyOf(HasSubstr("dial: refused ECONNRESET"), HasSubstr("dial: refused ECONNREFUSED")));
}

INSTANTIATE_TEST_SUITE_P(ColdAndWarm, ProcessTierDoors, testing::Values(0u, 1u));

}  // namespace
}  // namespace writ::isolation::process

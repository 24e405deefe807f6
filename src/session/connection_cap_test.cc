#include "session/connection_cap.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace writ::session {
namespace {

TEST(ConnectionCap, FollowsTheDescriptorsThereAre) {
  struct Case {
    std::uint64_t descriptors;
    std::uint32_t wanted, connections;
  };
  for (const Case& c : {Case{0, 4096, 1}, Case{256, 4096, 1}, Case{261, 4096, 1}, Case{268, 4096, 2}, Case{1024, 4096, 128},
                        Case{24'832, 4096, 4096}, Case{24'831, 4096, 4095}, Case{1U << 30, 4096, 4096},
                        Case{RLIM_INFINITY, 4096, 4096}, Case{1024, 5, 5}, Case{1024, 0, 1}}) {
    EXPECT_EQ(ConnectionsWithin(c.descriptors, c.wanted), c.connections) << c.descriptors << " for " << c.wanted;
  }
}

/// In a process of its own, whose limits nobody else has.
bool InChild(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ConnectionCap, RaisesTheSoftLimitNoFurtherThanItTakes) {
  const auto limits = [](rlim_t soft, rlim_t hard) {
    const rlimit files{soft, hard};
    return ::setrlimit(RLIMIT_NOFILE, &files) == 0;
  };
  const auto soft = [] {
    rlimit files{};
    return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0;
  };
  EXPECT_TRUE(InChild([&] { return limits(300, 1000) && ConnectionsFor(4096) == 124 && soft() == 1000; }));
  EXPECT_TRUE(InChild([&] { return limits(300, 1000) && ConnectionsFor(50) == 50 && soft() == 556; }));
  EXPECT_TRUE(InChild([&] { return limits(900, 1000) && ConnectionsFor(50) == 50 && soft() == 900; }));
  EXPECT_TRUE(InChild([&] { return limits(100, 100) && ConnectionsFor(50) == 1 && soft() == 100; }));
}

}  // namespace
}  // namespace writ::session

// A run whose way out fails by itself: it ends, and its evidence says why.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "api/plane_for_test.h"
#include "base/deadline.h"

namespace writ::api {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// Descriptors of this process that are of a kind without a name.
std::vector<int> DescriptorsOf(const std::string& kind) {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code none;
    const auto target = std::filesystem::read_symlink(entry.path(), none);
    if (target == "anon_inode:[" + kind + "]") found.push_back(std::stoi(entry.path().filename()));
  }
  return found;
}

/// Wakes the loop, and waits until it has seen that.
void WakeLoops() {
  const std::uint64_t one = 1;
  for (const int fd : DescriptorsOf("eventfd")) {
    EXPECT_EQ(::write(fd, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    const auto deadline = Deadline::After(Millis{20'000});
    const auto seen = [&] {
      const auto info = sys::ReadFile("/proc/self/fdinfo/" + std::to_string(fd), 4096);
      return info && info->find("eventfd-count:                0\n") != std::string::npos;
    };
    while (!seen()) ASSERT_FALSE(deadline.Passed());
  }
}

/// Takes epoll away from the proxy's loop. The first waking ends the round that waits; the second is seen by what is
/// left once the loop has failed.
void BreakEventLoops() {
  const sys::UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const int fd : DescriptorsOf("eventpoll")) ::dup3(nothing.get(), fd, O_CLOEXEC);
  WakeLoops();
  WakeLoops();
}

class RunNetworkFailure : public PlaneTest {
 protected:
  RunResult RunWithNetwork() {
    CreateRun request = Request();
    request.network = {.asked = true, .open = false, .rules = {"ok.test"}, .budget_bytes = {}};
    return Run(std::move(request));
  }
  void ExpectSaid(const RunResult& result) {
    EXPECT_EQ(result.status, "failed");
    EXPECT_THAT(result.problem, HasSubstr("network failed"));
    EXPECT_EQ(HowEnded(result.receipt), "interrupted");
    EXPECT_THAT(EventTypes(result.run_id), Contains("writ.run.interrupted"));
    const auto events = plane().Events(result.run_id);
    for (const auto& entry : *events) {
      const auto& event = *entry.Find("event");
      if (*event.FindString("type") == "writ.run.interrupted") {
        EXPECT_THAT(*event.Find("writ")->FindString("reason"), HasSubstr("the run's network failed: event loop: epoll_wait"));
      }
    }
    ExpectVerified(result.run_id);
  }
};

TEST_F(RunNetworkFailure, EndsTheRunAndSaysWhy) {
  script_.steps = {isolation::fake::Call{BreakEventLoops}, isolation::fake::Sleep{Millis{60'000}}};
  ExpectSaid(RunWithNetwork());
}

TEST_F(RunNetworkFailure, AnEndOfItsOwnAfterwardsIsNoResult) {
  script_.steps = {isolation::fake::Call{BreakEventLoops}};
  ExpectSaid(RunWithNetwork());
}

TEST_F(RunNetworkFailure, ANetworkThatHoldsChangesNothing) {
  const RunResult result = RunWithNetwork();
  EXPECT_EQ(result.status, "completed");
}

}  // namespace
}  // namespace writ::api

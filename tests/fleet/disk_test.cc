// Disks that are full: of the plane, and of a runner. Nothing that was answered is lost, what cannot be kept is refused,
// a run that cannot be recorded does not go on, and once there is space everything works again.
#include <gmock/gmock.h>
#include <signal.h>

#include "fleet.h"

namespace writ::fleet_test {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::IsEmpty;

class FullDisk : public FleetTest {};

TEST_F(FullDisk, Attack35_OfThePlaneLosesNothingThatWasAnswered) {
  const std::string disk = MakeDisk("disk", 8);
  state_ = disk + "/plane";
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::string waiting = Submit();
  ASSERT_NO_FATAL_FAILURE(Fill(disk, true));
  int refused = 0;
  std::vector<std::string> taken;
  for (int i = 0; i < 20; ++i) {
    const auto answer = Post("/v1/runs", Json::Of({{"request", Request()}}), fmt::format("full-{}", i));
    if (answer) {
      taken.push_back(*answer->FindString("runId"));
      continue;
    }
    ++refused;
    EXPECT_THAT(answer.error().what, HasSubstr("the store cannot keep this"));
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(StatusOf(waiting), "created") << "it still answers";
  ASSERT_NO_FATAL_FAILURE(KillPlane());  // and a crash in this state
  ASSERT_NO_FATAL_FAILURE(Fill(disk, false));
  ASSERT_NO_FATAL_FAILURE(Serve());
  taken.push_back(waiting);
  EXPECT_EQ(RunCount(), taken.size()) << "what was refused is not there, what was answered is";
  StartRunner();
  for (const auto& id : taken) {
    EXPECT_TRUE(AwaitStatus(id, "completed")) << Log("runner");
    EXPECT_THAT(Problems(id), IsEmpty());
  }
  EXPECT_EQ(executions(), static_cast<int>(taken.size()));
}

TEST_F(FullDisk, Attack35_OfThePlaneWhileAGuestRunsLosesNoEnd) {
  const std::string disk = MakeDisk("disk", 8);
  state_ = disk + "/plane";
  shared_->guest_ms = 1500;
  ASSERT_NO_FATAL_FAILURE(Serve({.lease = Millis{15'000}}));
  StartRunner();
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "running")) << Log("runner");
  ASSERT_NO_FATAL_FAILURE(Fill(disk, true));
  // Requests that nobody can keep use up what the store had in reserve.
  ASSERT_TRUE(Eventually([&] { return !Post("/v1/runs", Json::Of({{"request", Request()}})); }));
  ASSERT_TRUE(Eventually([&] { return shared_->execution[0].finished != 0; }));
  EXPECT_FALSE(AwaitEnd(id, Millis{1000})) << "a receipt that nobody could keep";
  ASSERT_NO_FATAL_FAILURE(Fill(disk, false));
  ASSERT_TRUE(AwaitEnd(id)) << Log("plane") << Log("runner");
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("runner");
  EXPECT_THAT(Problems(id), IsEmpty());
}

TEST_F(FullDisk, Attack35_OfARunnerEndsTheRunWithAReceipt) {
  const std::string disk = MakeDisk("disk", 8);
  ASSERT_NO_FATAL_FAILURE(Serve());
  StartRunner({.directory = disk + "/runner"});
  ASSERT_TRUE(AwaitStatus(Submit(), "completed")) << Log("runner");
  ASSERT_NO_FATAL_FAILURE(Fill(disk, true));
  const std::string unlucky = Submit();
  ASSERT_TRUE(AwaitEnd(unlucky)) << Log("runner");
  EXPECT_EQ(StatusOf(unlucky), "failed");
  EXPECT_THAT(Problems(unlucky), IsEmpty());
  EXPECT_THAT(Log("runner"), HasSubstr("full")) << "the operator learns why";
  EXPECT_EQ(executions(), 1) << "nothing is started that cannot be recorded";
  ASSERT_NO_FATAL_FAILURE(Fill(disk, false));
  const std::string next = Submit();
  EXPECT_TRUE(AwaitStatus(next, "completed")) << StatusOf(next) << FailureOf(next) << Log("runner");
  EXPECT_THAT(Problems(next), IsEmpty());
}

TEST_F(FullDisk, Attack35_OfARunnerThatFillsUpWhileAGuestRuns) {
  const std::string disk = MakeDisk("disk", 8);
  shared_->guest_ms = 1500;
  ASSERT_NO_FATAL_FAILURE(Serve());
  StartRunner({.directory = disk + "/runner"});
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "running")) << Log("runner");
  ASSERT_NO_FATAL_FAILURE(Fill(disk, true));
  ASSERT_TRUE(AwaitEnd(id)) << Log("runner");
  EXPECT_EQ(StatusOf(id), "failed") << "its end cannot be recorded where it ran";
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(executions(), 1);
  ASSERT_NO_FATAL_FAILURE(Fill(disk, false));
  const std::string next = Submit();
  EXPECT_TRUE(AwaitStatus(next, "completed")) << FailureOf(next) << Log("runner");
}

}  // namespace
}  // namespace writ::fleet_test

// Wall clocks that jump, of the plane and of a runner. Leases are kept in monotonic time and do not notice; what is said
// to expire at a time of day expires by the clock of whoever is asked.
#include <gmock/gmock.h>

#include "fleet.h"

namespace writ::fleet_test {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kHour = 3'600'000, kDay = 24 * kHour;

class ClockJumps : public FleetTest, public testing::WithParamInterface<std::int64_t> {};

TEST_P(ClockJumps, Attack46_OfThePlaneTakeNoRunFromItsRunner) {
  shared_->guest_ms = 3000;
  ASSERT_NO_FATAL_FAILURE(Serve());  // leases of 2 s: they are renewed after the jump
  StartRunner();
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "running")) << Log("runner");
  shared_->plane_skew_ms = GetParam();
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("runner");
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(executions(), 1);
}

TEST_P(ClockJumps, Attack46_OfARunnerLeaveARunThatRunsAlone) {
  shared_->guest_ms = 3000;
  ASSERT_NO_FATAL_FAILURE(Serve());
  StartRunner();
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "running")) << Log("runner");
  shared_->runner_skew_ms = GetParam();
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("runner");
  EXPECT_THAT(Problems(id), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(Days, ClockJumps, testing::Values(kDay, -kDay), [](const auto& given) { return given.param > 0 ? "ahead" : "back"; });

class ClockSkew : public FleetTest {};

TEST_F(ClockSkew, Attack46_ARunnerAheadOfItsTimeRefusesWhatHasExpiredForItAndSaysSo) {
  shared_->runner_skew_ms = kDay;
  ASSERT_NO_FATAL_FAILURE(Serve());
  StartRunner();
  const std::string id = Submit();
  ASSERT_TRUE(AwaitEnd(id)) << Log("runner");
  EXPECT_EQ(StatusOf(id), "failed");
  EXPECT_THAT(FailureOf(id), HasSubstr("expired"));
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(executions(), 0);
  shared_->runner_skew_ms = 0;  // somebody sets it right
  EXPECT_TRUE(AwaitStatus(Submit(), "completed")) << Log("runner");
}

TEST_F(ClockSkew, Attack46_ARunnerBehindItsTimeCarriesRunsOut) {
  shared_->runner_skew_ms = -kDay;
  ASSERT_NO_FATAL_FAILURE(Serve());
  StartRunner();
  const std::string id = Submit();
  ASSERT_TRUE(AwaitEnd(id)) << Log("runner");
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id);
  EXPECT_THAT(Problems(id), IsEmpty());
}

TEST_F(ClockSkew, Attack46_AWaitingContractThatExpiredByAJumpIsNotGivenOut) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::string id = Submit();
  shared_->plane_skew_ms = kDay;
  StartRunner();
  const std::string later = Submit();
  ASSERT_TRUE(AwaitStatus(later, "completed")) << Log("runner");
  EXPECT_EQ(executions(), 1) << "the run of before the jump has expired by the plane's clock";
  shared_->plane_skew_ms = 0;
  ASSERT_TRUE(AwaitEnd(id)) << "it is not stuck";
  EXPECT_THAT(Problems(id), IsEmpty());
}

TEST_F(ClockSkew, Attack46_ARestartByAnotherClockEndsWhatHasExpiredWithAReceipt) {
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::string id = Submit();
  ASSERT_EQ(StopPlane(), 0);
  shared_->plane_skew_ms = kDay;
  ASSERT_NO_FATAL_FAILURE(Serve());
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "failed");
  EXPECT_THAT(Problems(id), IsEmpty());
  ASSERT_EQ(StopPlane(), 0);
  shared_->plane_skew_ms = shared_->runner_skew_ms = -kDay;
  ASSERT_NO_FATAL_FAILURE(Serve());
  EXPECT_EQ(StatusOf(id), "failed") << "what has ended stays ended, whatever the clock says";
  StartRunner();
  EXPECT_TRUE(AwaitStatus(Submit(), "completed")) << Log("runner");
}

constexpr const char* kAsk = R"([{"when":"any-run","approvers":["admin"]}])";

TEST_F(ClockSkew, Attack46_AnApprovalDoesNotOutliveAJumpAndDoesNotComeBack) {
  ASSERT_NO_FATAL_FAILURE(Serve({.consent = kAsk}));
  const std::string id = Submit();
  const Json approval = Get("/v1/runs/" + id + "/approval");
  const Json answer = Json::Of({{"digest", *approval.FindString("digest")}});
  shared_->plane_skew_ms = 30 * kDay;
  EXPECT_FALSE(Post("/v1/runs/" + id + "/approve", answer)) << "too late, by the plane's clock";
  ASSERT_EQ(StopPlane(), 0);
  ASSERT_NO_FATAL_FAILURE(Serve({.consent = kAsk}));
  ASSERT_TRUE(AwaitEnd(id)) << StatusOf(id);
  shared_->plane_skew_ms = 0;
  EXPECT_FALSE(Post("/v1/runs/" + id + "/approve", answer)) << "it has ended";
  EXPECT_EQ(StatusOf(id), "cancelled");
}

}  // namespace
}  // namespace writ::fleet_test

// The plane's process is killed at every labelled point of a run that a runner carries out over HTTP; another one starts
// on the same state. Nothing that was answered is lost, nothing happens twice, and the run ends with honest evidence.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>

#include "fleet.h"
#include "plane/core.h"

namespace writ::fleet_test {
namespace {

using canon::Json;
using testing::IsEmpty;
namespace fault = plane::fault;

struct Death {
  std::string_view label;
  int at;                       ///< how often the label is reached by then
  std::string_view after = {};  ///< since this label
};

constexpr Death kDeaths[] = {{fault::kContractStored, 1}, {fault::kStored, 1, fault::kContractStored},
                             {fault::kClaimed, 1},        {fault::kStored, 1, fault::kClaimed},
                             {fault::kEventsAppended, 1}, {fault::kStored, 1, fault::kEventsAppended},
                             {fault::kEventsAppended, 2}, {fault::kReceiptChecked, 1},
                             {fault::kCountersigned, 1},  {fault::kStored, 1, fault::kCountersigned}};

std::string NameOf(const testing::TestParamInfo<Death>& info) {
  std::string name = fmt::format("{}_{}{}{}", info.param.label, info.param.at, info.param.after.empty() ? "" : "_after_", info.param.after);
  std::ranges::replace(name, '-', '_');
  return name;
}

class PlaneCrash : public FleetTest, public testing::WithParamInterface<Death> {};

TEST_P(PlaneCrash, TheRunGoesOnOrEndsHonestly) {
  const Death& death = GetParam();
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::string before = Submit();  // acknowledged, and carried out before anything happens
  StartRunner();
  ASSERT_TRUE(AwaitStatus(before, "completed")) << Log("runner");
  const Json receipt = Receipt(before);
  ASSERT_EQ(StopPlane(), 0);
  ASSERT_NO_FATAL_FAILURE(Serve({.label = std::string(death.label), .after = std::string(death.after)}));

  shared_->kill_at = death.at;
  static_cast<void>(Post("/v1/runs", Json::Of({{"request", Request()}}), "once"));  // with luck there is an answer
  ASSERT_NO_FATAL_FAILURE(AwaitPlaneDeath());
  ASSERT_NO_FATAL_FAILURE(Serve());
  const std::string id = Submit(Request(), "once");
  ASSERT_TRUE(AwaitEnd(id)) << StatusOf(id) << Log("plane") << Log("runner");

  EXPECT_EQ(RunCount(), 2u) << "asked twice under one key";
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(Receipt(before), receipt);
  EXPECT_EQ(CountOf(id, "run.claimed"), 1u);
  // A claim that was stored and whose answer nobody got: the plane gave the run away, and its runner never comes back. A
  // runner that waits may be given a run together with what made it.
  const bool lost = StatusOf(id) == "failed";
  EXPECT_TRUE(lost || death.after != fault::kClaimed);
  EXPECT_TRUE(!lost || death.after == fault::kClaimed || death.after == fault::kContractStored) << FailureOf(id);
  if (lost) {
    EXPECT_THAT(FailureOf(id), testing::HasSubstr("was lost"));
    EXPECT_EQ(executions(), 1) << "nobody ever carried it out";
  } else {
    EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("runner");
    EXPECT_EQ(executions(), 2);
  }
}
INSTANTIATE_TEST_SUITE_P(Points, PlaneCrash, testing::ValuesIn(kDeaths), NameOf);

class ApprovalCrash : public FleetTest, public testing::WithParamInterface<std::string_view> {};

TEST_P(ApprovalCrash, AnApprovalIsGivenOnceOrNotAtAll) {
  const std::string consent = R"([{"when":"any-run","approvers":["admin"]}])";
  ASSERT_NO_FATAL_FAILURE(Serve({.label = std::string(GetParam()), .consent = consent}));
  const std::string id = Submit();
  ASSERT_EQ(StatusOf(id), "awaiting_approval");
  const Json approval = Get("/v1/runs/" + id + "/approval");
  ASSERT_NE(approval.FindString("digest"), nullptr);
  const Json answer = Json::Of({{"digest", *approval.FindString("digest")}});
  shared_->kill_at = 1;
  EXPECT_FALSE(Post("/v1/runs/" + id + "/approve", answer));
  ASSERT_NO_FATAL_FAILURE(AwaitPlaneDeath());
  ASSERT_NO_FATAL_FAILURE(Serve({.consent = consent}));
  const bool kept = GetParam() == fault::kStored;
  EXPECT_EQ(StatusOf(id), kept ? "created" : "awaiting_approval");
  EXPECT_EQ(Post("/v1/runs/" + id + "/approve", answer).has_value(), !kept);
  StartRunner();
  ASSERT_TRUE(AwaitStatus(id, "completed")) << Log("runner");
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(executions(), 1);
}
INSTANTIATE_TEST_SUITE_P(Points, ApprovalCrash, testing::Values(fault::kContractStored, fault::kStored), [](const auto& given) {
  std::string name(given.param);
  std::ranges::replace(name, '-', '_');
  return name;
});

class FleetCrash : public FleetTest {};

TEST_F(FleetCrash, Attack45_ThePlaneIsKilledAndReplacedWhileAGuestRuns) {
  shared_->guest_ms = 1500;
  ASSERT_NO_FATAL_FAILURE(Serve());
  StartRunner();
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "running")) << Log("runner");
  ASSERT_NO_FATAL_FAILURE(KillPlane());
  ASSERT_NO_FATAL_FAILURE(Serve());
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("runner");
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(executions(), 1);
}

TEST_F(FleetCrash, Attack45_PlaneAndRunnerAreKilledTogether) {
  shared_->guest_ms = 60'000;
  ASSERT_NO_FATAL_FAILURE(Serve());
  const pid_t runner = StartRunner();
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return executions() == 1; })) << Log("runner");
  Kill(runner, SIGKILL);
  ASSERT_NO_FATAL_FAILURE(KillPlane());
  ASSERT_NO_FATAL_FAILURE(Serve());
  shared_->guest_ms = 100;
  StartRunner();
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "failed");
  EXPECT_THAT(FailureOf(id), testing::HasSubstr("interrupted"));
  EXPECT_THAT(Problems(id), IsEmpty());
  const std::string next = Submit();
  EXPECT_TRUE(AwaitStatus(next, "completed")) << Log("runner");
  EXPECT_EQ(executions(), 2);
}

}  // namespace
}  // namespace writ::fleet_test

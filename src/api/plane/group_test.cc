// How calls and endings share commits, and what happens when a commit is in doubt.

#include <gmock/gmock.h>

#include "api/failing_store_for_test.h"
#include "api/plane/plane_worker.h"
#include "api/plane/runner_for_test.h"

namespace writ::api {
namespace {

using testing::HasSubstr;

class GroupTest : public RunnerServiceTest {
 protected:
  PlaneOptions Options() override {
    PlaneOptions options = RunnerServiceTest::Options();
    options.wrap_store = [this](std::unique_ptr<storage::Store> store) { return std::make_unique<FailingStore>(std::move(store), plan_); };
    options.fault_hook = [this](std::string_view label) { stored_ += label == plane::fault::kStored ? 1 : 0; };
    return options;
  }
  FailurePlan plan_;
  std::atomic<int> stored_{0};
};

TEST_F(GroupTest, Attack35_AfterAFailedSyncNothingIsServedUntilTheStoreIsReadAgain) {
  const auto runner = Enrol();
  auto waiting = Send(ClaimCall(Enrol(), 30000));
  service_->Tick();
  plan_.fail_sync = true;
  const auto added = service_->Do([](plane::Core&, plane::Change& change) -> plane::Answer<> {
    WRIT_ANSWER(change->CreateRun({.id = "run_doubtful"}));
    return {};
  });
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().status, 503);
  // Reading would show what may be gone tomorrow, so that is refused too.
  for (const auto& said : {Ask(ClaimCall(runner)), Get("/v1/runs"), Get("/v1/ready"), Take(waiting)}) {
    EXPECT_EQ(said.status, 503) << said.text;
    EXPECT_THAT(said.error(), HasSubstr("the plane has stopped serving"));
  }
  EXPECT_FALSE(service_->Do([](plane::Core&, plane::Change&) -> plane::Answer<> { return {}; }));
  EXPECT_THAT(logged_.back(), HasSubstr("check the disk"));

  plan_ = {};
  Restart();
  EXPECT_EQ(Get("/v1/ready").status, 200);
  EXPECT_EQ(RowOf("run_doubtful").status, storage::RunStatus::kCreated) << "this time it had survived";
}

TEST_F(GroupTest, LeasesThatEndTogetherShareACommit) {
  constexpr int kRuns = 40;
  const auto runner = Enrol();
  std::vector<std::string> ids;
  for (int i = 0; i < kRuns; ++i) {
    ids.push_back(AddRun());
    ASSERT_TRUE(Claim(runner, Ours()));
    clock_->Advance(Millis{1});
  }
  clock_->Advance(Millis{30000 - kRuns} + PlaneWorker::kGather - Millis{1});
  stored_ = 0;
  service_->Tick();
  EXPECT_EQ(stored_, 0) << "the first one's lease has ended, and others follow at once";
  clock_->Advance(Millis{1});
  service_->Tick();
  EXPECT_EQ(stored_, 1);
  for (const auto& id : ids) EXPECT_EQ(RowOf(id).status, storage::RunStatus::kFailed);
}

TEST_F(GroupTest, AnEndingThatCannotBeStoredIsTriedAgainAfterAWhile) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  ASSERT_TRUE(Claim(runner, Ours()));
  plan_.changes = 0, plan_.fail_from = 0;
  clock_->Advance(Millis{31000});
  service_->Tick();
  const int tried = plan_.changes;
  EXPECT_GT(tried, 0);
  for (int i = 0; i < 5; ++i) service_->Tick();
  EXPECT_EQ(plan_.changes, tried) << "not again at once";
  plan_.fail_from = -1;
  clock_->Advance(PlaneWorker::kOverRetry);
  service_->Tick();
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kFailed);
}

TEST_F(GroupTest, LongPollsAreAskedOnlyForWhatTheyCanDo) {
  const auto runner = Enrol();
  const auto microvm = *canon::Parse(R"({"v":1,"tiers":["microvm"]})", canon::Mode::kStrict);
  auto first = Send(ClaimCall(runner, 30000, Ours())), other = Send(ClaimCall(runner, 30000, microvm)), second = Send(ClaimCall(runner, 30000, Ours()));
  const std::string a = AddRun(), b = AddRun();
  EXPECT_EQ(*Take(first).body.FindString("runId"), a);
  EXPECT_EQ(*Take(second).body.FindString("runId"), b);
  EXPECT_EQ(other.wait_for(Millis{0}), std::future_status::timeout);
  clock_->Advance(Millis{30000});
  service_->Tick();
  EXPECT_EQ(Take(other).text, R"({"empty":true})");
}

}  // namespace
}  // namespace writ::api

// Plane and runner in networks of their own, and the wire between them broken: altogether, or in one direction; before
// a claim's lease ends, or for longer. No run is executed twice at once or stays behind, and its evidence is honest.
#include <gmock/gmock.h>
#include <signal.h>

#include "fleet.h"

namespace writ::fleet_test {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::IsEmpty;

class Partition : public FleetTest {
 protected:
  void SetUp() override {
    WRIT_NEEDS_NETWORK();
    options_.host = kPlaneHost;
  }
  /// A plane, and a runner apart from it that has carried out one run: both know each other.
  void Begin() {
    ASSERT_NO_FATAL_FAILURE(Serve(options_));
    runner_ = StartRunner({.name = "apart", .apart = true});
    const std::int64_t time = shared_->guest_ms.exchange(0);
    ASSERT_TRUE(AwaitStatus(Submit(), "completed")) << Log("apart");
    shared_->guest_ms = time;
    begun_ = executions();
  }
  int begun() const { return executions() - begun_; }  ///< executions since then
  /// The runner is well: it carries out another run.
  void ExpectWell() {
    const std::string next = Submit();
    EXPECT_TRUE(AwaitStatus(next, "completed", Millis{30'000})) << FailureOf(next) << Log("apart");
    EXPECT_THAT(Problems(next), IsEmpty());
    EXPECT_FALSE(Overlapped());
  }

  Placed options_{};
  pid_t runner_ = -1;
  int begun_ = 0;
};

TEST_F(Partition, Attack37_TheAnswerToAClaimIsLostForLongerThanTheLease) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kNoReplies));
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "claimed")) << "its long poll was waiting";
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "failed");
  EXPECT_THAT(FailureOf(id), HasSubstr("was lost"));
  EXPECT_THAT(Problems(id), IsEmpty());
  const Json receipt = Receipt(id);
  // Now the answer arrives, with a claim that is over: nothing may be started for it.
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kWhole));
  ExpectWell();
  EXPECT_EQ(begun(), 1) << "only the run after it";
  EXPECT_EQ(Receipt(id), receipt);
}

TEST_F(Partition, Attack37_TheAnswerToAClaimComesLateButInTime) {
  options_.lease = Millis{15'000};
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kNoReplies));
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "claimed"));
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kWhole));
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("apart");
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(begun(), 1);
}

TEST_F(Partition, Attack37_AClaimThatWasLostOnTheWayGoesToAnotherRunnerOnce) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kNoReplies));
  const std::string id = Submit(Request("requeue"));
  ASSERT_TRUE(AwaitStatus(id, "claimed"));
  shared_->guest_ms = 2000;
  StartRunner({.name = "second"});
  ASSERT_TRUE(Eventually([&] { return begun() == 1; })) << Log("second");
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kWhole));  // the first learns of its claim while the second works
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("second");
  EXPECT_EQ(begun(), 1);
  EXPECT_EQ(CountOf(id, "writ.run.requeued"), 1u);
  EXPECT_EQ(CountOf(id, "run.claimed"), 2u);
  EXPECT_THAT(Problems(id), IsEmpty());
}

TEST_F(Partition, Attack37_ARunThatIsCutOffWhileItRunsGoesOnWhenTheWireIsMendedInTime) {
  options_.lease = Millis{8000};
  shared_->guest_ms = 1500;
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string id = Submit();
  ASSERT_TRUE(AwaitStatus(id, "running")) << Log("apart");
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kCut));
  ASSERT_TRUE(Eventually([&] { return shared_->execution[begun_].finished != 0; })) << "it ends while nobody hears of it";
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kWhole));
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("apart");
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(begun(), 1);
}

/// The wire breaks while a guest runs and stays broken beyond the lease: the guest is stopped before anybody else may
/// carry the run out.
class LongPartition : public Partition {
 protected:
  void Break(Wire wire, const std::string& on_lost) {
    shared_->guest_ms = 20'000;
    ASSERT_NO_FATAL_FAILURE(Begin());
    id_ = Submit(Request(on_lost));
    ASSERT_TRUE(AwaitStatus(id_, "running")) << Log("apart");
    ASSERT_NO_FATAL_FAILURE(Set(runner_, wire));
  }
  std::string id_;
};

TEST_F(LongPartition, Attack37_TheRunFailsHonestlyAndItsGuestIsStopped) {
  ASSERT_NO_FATAL_FAILURE(Break(Wire::kCut, ""));
  ASSERT_TRUE(AwaitEnd(id_));
  EXPECT_EQ(StatusOf(id_), "failed");
  EXPECT_THAT(FailureOf(id_), HasSubstr("was lost"));
  EXPECT_THAT(Problems(id_), IsEmpty());
  const Json receipt = Receipt(id_);
  const std::int64_t ended = std::chrono::steady_clock::now().time_since_epoch().count();
  ASSERT_TRUE(Eventually([&] { return std::chrono::steady_clock::now().time_since_epoch().count() - shared_->execution[begun_].last_sign > 500'000'000; }));
  EXPECT_LT(shared_->execution[begun_].last_sign, ended) << "the plane ended the run after its guest was dead";
  EXPECT_EQ(shared_->execution[begun_].finished, 0);
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kWhole));
  shared_->guest_ms = 0;
  EXPECT_EQ(Receipt(id_), receipt) << "the runner's own report comes too late and changes nothing";
}

TEST_F(LongPartition, Attack37_AnotherRunnerCarriesItOutAfterTheFirstHasStopped) {
  ASSERT_NO_FATAL_FAILURE(Break(Wire::kCut, "requeue"));
  shared_->guest_ms = 200;
  StartRunner({.name = "second"});
  ASSERT_TRUE(AwaitEnd(id_));
  EXPECT_EQ(StatusOf(id_), "completed") << FailureOf(id_) << Log("second");
  EXPECT_EQ(begun(), 2);
  EXPECT_FALSE(Overlapped()) << "two at once";
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kWhole));
  EXPECT_THAT(Problems(id_), IsEmpty());
}

TEST_F(LongPartition, Attack37_RequestsArriveAndRepliesDoNot) {
  ASSERT_NO_FATAL_FAILURE(Break(Wire::kNoReplies, "requeue"));
  shared_->guest_ms = 200;
  StartRunner({.name = "second"});
  ASSERT_TRUE(AwaitEnd(id_));
  EXPECT_EQ(StatusOf(id_), "completed") << FailureOf(id_) << Log("second");
  EXPECT_EQ(begun(), 2);
  EXPECT_FALSE(Overlapped()) << "two at once";
  EXPECT_THAT(Problems(id_), IsEmpty());
}

TEST_F(LongPartition, Attack37_RepliesArriveAndRequestsDoNot) {
  ASSERT_NO_FATAL_FAILURE(Break(Wire::kNoRequests, "requeue"));
  shared_->guest_ms = 200;
  StartRunner({.name = "second"});
  ASSERT_TRUE(AwaitEnd(id_));
  EXPECT_EQ(StatusOf(id_), "completed") << FailureOf(id_) << Log("second");
  EXPECT_FALSE(Overlapped()) << "two at once";
  EXPECT_THAT(Problems(id_), IsEmpty());
}

/// The wire breaks when the guest has ended and its report is under way.
class PartitionAtTheEnd : public Partition, public testing::WithParamInterface<Wire> {};

TEST_P(PartitionAtTheEnd, Attack37_TheReportArrivesOnce) {
  options_.lease = Millis{10'000};
  shared_->guest_ms = 600;
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return begun() == 1 && shared_->execution[begun_].last_sign > shared_->execution[begun_].began + 400'000'000; }));
  ASSERT_NO_FATAL_FAILURE(Set(runner_, GetParam()));
  ASSERT_TRUE(Eventually([&] { return shared_->execution[begun_].finished != 0; }));
  static_cast<void>(AwaitEnd(id, Millis{1500}));  // where requests arrive the plane may know, and nobody the plane's answer
  ASSERT_NO_FATAL_FAILURE(Set(runner_, Wire::kWhole));
  ASSERT_TRUE(AwaitEnd(id));
  EXPECT_EQ(StatusOf(id), "completed") << FailureOf(id) << Log("apart");
  EXPECT_THAT(Problems(id), IsEmpty());
  EXPECT_EQ(CountOf(id, "run.completed"), 1u);
  EXPECT_EQ(begun(), 1);
}
INSTANTIATE_TEST_SUITE_P(Wires, PartitionAtTheEnd,
                         testing::Values(Wire::kCut, Wire::kNoReplies, Wire::kNoRequests), [](const auto& given) {
                           return std::string(given.param == Wire::kCut         ? "cut"
                                              : given.param == Wire::kNoReplies ? "no_replies"
                                                                                          : "no_requests");
                         });

}  // namespace
}  // namespace writ::fleet_test

#include <gmock/gmock.h>

#include "storage/conformance/plane_fixture_for_test.h"

namespace writ::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using PlaneQueueTest = PlaneTablesTest;
INSTANTIATE_TEST_SUITE_P(Stores, PlaneQueueTest, testing::Values("memory", "sqlite"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(PlaneQueueTest, RunsWaitInTheOrderInWhichTheyWereMade) {
  Enqueue("c");
  Enqueue("a");
  Enqueue("other", "q");
  Enqueue("b");
  EXPECT_THAT(Waiting(), ElementsAre("c", "a", "b"));
  EXPECT_THAT(Waiting("q"), ElementsAre("other"));
  EXPECT_THAT(Waiting("none"), IsEmpty());
  EXPECT_THAT(Waiting("p", 2), ElementsAre("c", "a"));
  const auto first = store_->Queued("p", 1)->front();
  EXPECT_EQ(first.entry.needs, "{\"for\":\"c\"}");
  EXPECT_EQ(first.entry.pool, "p");
  EXPECT_EQ(first.entry.expires, At(10'000));
  EXPECT_EQ(first.attempts, 0u);
  EXPECT_EQ(first.number, store_->GetRun("c")->number);
  EXPECT_THAT(Waiting("p", 100, first.number), ElementsAre("a", "b"));
  EXPECT_THAT(Waiting("p", SIZE_MAX, UINT64_MAX), IsEmpty());
}

TEST_P(PlaneQueueTest, OnlyCreatedRunsWithAContractWaitAndOnce) {
  const auto enqueue = [&](const std::string& id) {
    return Refused([&](Transaction& t) { return t.Enqueue(id, {.pool = "p", .expires = At(1)}); });
  };
  EXPECT_EQ(enqueue("none"), Code::kNotFound);
  CreateRun("draft");
  EXPECT_EQ(enqueue("draft"), Code::kInvalid);
  Enqueue("twice");
  EXPECT_EQ(enqueue("twice"), Code::kInvalid);
  CreateContractedRun("ended");
  Finish("ended", At(1));
  EXPECT_EQ(enqueue("ended"), Code::kInvalid);
  CreateContractedRun("running");
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("running", RunStatus::kRunning, At(1)); }));
  EXPECT_EQ(enqueue("running"), Code::kInvalid);
  CreateContractedRun("nowhere");
  EXPECT_EQ(Refused([](Transaction& t) { return t.Enqueue("nowhere", {.pool = ""}); }), Code::kInvalid);
}

TEST_P(PlaneQueueTest, AClaimTakesTheRunOutOfTheQueueOnce) {
  Enqueue("run_1");
  EXPECT_EQ(*store_->GetLease("run_1"), std::nullopt);
  EXPECT_EQ(store_->GetLease("none").error().code, Code::kNotFound);
  ASSERT_TRUE(Claim("run_1", LeaseOf(1, 5000)));
  EXPECT_EQ(StatusOf("run_1"), RunStatus::kClaimed);
  EXPECT_EQ(store_->GetRun("run_1")->updated, At(2000));
  EXPECT_THAT(Waiting(), IsEmpty());
  EXPECT_EQ(*store_->GetLease("run_1"), LeaseOf(1, 5000));
  EXPECT_EQ(Claim("run_1", LeaseOf(2, 5000)).error().code, Code::kInvalid);
  EXPECT_EQ(Claim("run_1", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  EXPECT_EQ(Claim("none", LeaseOf(1, 5000)).error().code, Code::kNotFound);
  EXPECT_EQ(*store_->GetLease("run_1"), LeaseOf(1, 5000));
}

TEST_P(PlaneQueueTest, WhatDoesNotWaitCannotBeClaimed) {
  CreateContractedRun("local");
  EXPECT_EQ(Claim("local", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  Enqueue("cancelled");
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("cancelled", RunStatus::kCancelled, At(3)); }));
  EXPECT_THAT(Waiting(), IsEmpty());
  EXPECT_EQ(Claim("cancelled", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  Enqueue("parked");
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("parked", RunStatus::kAwaitingApproval, At(3)); }));
  EXPECT_EQ(Claim("parked", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  Enqueue("run_1");
  EXPECT_EQ(Claim("run_1", LeaseOf(2, 5000)).error().code, Code::kInvalid) << "not the next attempt";
  EXPECT_EQ(Claim("run_1", LeaseOf(0, 5000)).error().code, Code::kInvalid);
}

TEST_P(PlaneQueueTest, LeasesAreRenewedByTheirClaimOnly) {
  Enqueue("run_1");
  const auto renew = [&](const std::string& id, const std::string& claim) {
    return Refused([&](Transaction& t) { return t.RenewLease(id, claim, At(9000)); });
  };
  EXPECT_EQ(renew("run_1", "claim_1"), Code::kInvalid) << "nobody holds it";
  ASSERT_TRUE(Claim("run_1", LeaseOf(1, 5000)));
  EXPECT_EQ(renew("run_1", "claim_0"), Code::kInvalid);
  EXPECT_EQ(renew("run_1", ""), Code::kInvalid);
  EXPECT_EQ(renew("none", "claim_1"), Code::kNotFound);
  ASSERT_TRUE(Do([](Transaction& t) { return t.RenewLease("run_1", "claim_1", At(9000)); }));
  EXPECT_EQ(*store_->GetLease("run_1"), LeaseOf(1, 9000));
  Enqueue("old");
  ASSERT_TRUE(Claim("old", LeaseOf(1, 5000, false)));
  EXPECT_EQ(renew("old", "claim_1"), Code::kInvalid) << "not renewable";
  EXPECT_EQ(*store_->GetLease("old"), LeaseOf(1, 5000, false));
}

TEST_P(PlaneQueueTest, ARequeuedRunKeepsItsPlace) {
  Enqueue("first");
  Enqueue("second");
  EXPECT_EQ(Refused([](Transaction& t) { return t.Requeue("first", At(1)); }), Code::kInvalid) << "nobody holds it";
  ASSERT_TRUE(Claim("first", LeaseOf(1, 5000)));
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("first", RunStatus::kRunning, At(3)); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.Requeue("first", At(4)); }));
  EXPECT_EQ(StatusOf("first"), RunStatus::kCreated);
  EXPECT_EQ(store_->GetRun("first")->updated, At(4));
  EXPECT_EQ(*store_->GetLease("first"), std::nullopt);
  EXPECT_THAT(Waiting(), ElementsAre("first", "second"));
  EXPECT_EQ(store_->Queued("p", 1)->front().attempts, 1u);
  EXPECT_EQ(Claim("first", LeaseOf(1, 5000)).error().code, Code::kInvalid) << "that attempt is over";
  ASSERT_TRUE(Claim("first", LeaseOf(2, 6000)));
  EXPECT_EQ(Refused([](Transaction& t) { return t.RenewLease("first", "claim_1", At(9000)); }), Code::kInvalid)
      << "the runner that was thought lost";
  EXPECT_EQ(*store_->GetLease("first"), LeaseOf(2, 6000));
}

TEST_P(PlaneQueueTest, ARunThatEndsIsHeldByNobody) {
  for (const char* id : {"receipt", "status"}) {
    Enqueue(id);
    ASSERT_TRUE(Claim(id, LeaseOf(1, 5000)));
  }
  EXPECT_EQ(*store_->NextLeaseEnd(), At(5000));
  Finish("receipt", At(3));
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("status", RunStatus::kFailed, At(3)); }));
  for (const char* id : {"receipt", "status"}) {
    EXPECT_EQ(*store_->GetLease(id), std::nullopt) << id;
    EXPECT_EQ(Refused([&](Transaction& t) { return t.Requeue(id, At(4)); }), Code::kInvalid) << id;
    EXPECT_EQ(Refused([&](Transaction& t) { return t.RenewLease(id, "claim_1", At(4)); }), Code::kInvalid) << id;
  }
  EXPECT_EQ(*store_->NextLeaseEnd(), std::nullopt);
  EXPECT_THAT(*store_->ExpiredLeases(At(INT64_MAX), 10), IsEmpty());
}

TEST_P(PlaneQueueTest, WhatExpiresIsFoundInThatOrder) {
  EXPECT_EQ(*store_->NextQueueEnd(), std::nullopt);
  EXPECT_EQ(*store_->NextLeaseEnd(), std::nullopt);
  Enqueue("late", "p", 300);
  Enqueue("early", "q", 100);
  Enqueue("never", "p", 100'000);
  Enqueue("held", "p", 50);
  ASSERT_TRUE(Claim("held", LeaseOf(1, 700)));
  EXPECT_EQ(*store_->NextQueueEnd(), At(100)) << "what is held does not wait";
  const auto expired = [&](std::int64_t now, std::size_t limit = 10) {
    std::vector<std::string> ids;
    const auto rows = *store_->ExpiredQueue(At(now), limit);
    for (const QueuedRun& run : rows) ids.push_back(run.id);
    return ids;
  };
  EXPECT_THAT(expired(99), IsEmpty());
  EXPECT_THAT(expired(100), ElementsAre("early"));
  EXPECT_THAT(expired(300), ElementsAre("early", "late"));
  EXPECT_THAT(expired(300, 1), ElementsAre("early"));
  EXPECT_EQ(*store_->NextLeaseEnd(), At(700));
  EXPECT_THAT(*store_->ExpiredLeases(At(699), 10), IsEmpty());
  Enqueue("held2");
  ASSERT_TRUE(Claim("held2", LeaseOf(1, 600)));
  const auto ended = *store_->ExpiredLeases(At(700), 10);
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].id, "held2");
  EXPECT_EQ(ended[1].id, "held");
  EXPECT_EQ(ended[1].lease, LeaseOf(1, 700));
  EXPECT_EQ(store_->ExpiredLeases(At(700), 1)->size(), 1u);
}

}  // namespace
}  // namespace writ::storage

#include "client/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace writ::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Planner, DenialsInOrderAndWording) {
  ContinuationPolicy policy;
  policy.pools_allowed = {"gpu"};
  policy.pools_denied = {"public"};
  policy.spend_usd_max = 2.5;
  policy.duration_min_max = 30;
  const PlanAsk ask{"public", {3, 45.5}, 5};
  EXPECT_THAT(PlanDenials(policy, ask),
              ElementsAre("pool \"public\" is denied by continuation policy",
                          "pool \"public\" is not in the continuation allowlist",
                          "requested budget $3 exceeds policy ceiling $2.5",
                          "requested duration 45.5m exceeds policy ceiling 30m",
                          "requested 5 parallel runs exceeds policy ceiling 4"));
}

TEST(Planner, Table) {
  ContinuationPolicy strict;
  strict.pools_allowed.emplace();
  strict.spend_usd_max = 1;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(PlanDenials({}, {"any", {}, 4}), IsEmpty()) << "the default allows four";
  EXPECT_EQ(PlanDenials({}, {"any", {}, 5}).size(), 1u);
  EXPECT_THAT(PlanDenials({}, {"any", {1e9, 1e9}, 1}), IsEmpty()) << "no ceiling, no denial";
  EXPECT_EQ(PlanDenials(strict, {"any", {}, 1}).size(), 1u) << "an empty allowlist allows nothing; no budget is the ceiling";
  EXPECT_EQ(PlanDenials(strict, {"any", {1.0, {}}, 1}).size(), 1u) << "the ceiling itself is allowed";
  EXPECT_EQ(PlanDenials(strict, {"any", {nan, {}}, 1}).size(), 2u) << "what is no number is over every ceiling";
}

TEST(Planner, ReadsItsPolicyStrictly) {
  const auto policy = ParseContinuationPolicy(
      R"({"version":"writ.continuation.v1","pools":{"allow":["a"],"deny":["b"]},"budget":{"maxSpendUsd":1,"maxDurationMin":2},"parallel":8})");
  ASSERT_TRUE(policy) << policy.error().what;
  EXPECT_THAT(*policy->pools_allowed, ElementsAre("a"));
  EXPECT_THAT(policy->pools_denied, ElementsAre("b"));
  EXPECT_EQ(policy->duration_min_max, 2);
  EXPECT_EQ(policy->parallel_max, 8u);
  for (const char* text :
       {"", "[]", "{}", R"({"version":"writ.continuation.v2"})", R"({"version":"writ.continuation.v1","paralel":1})",
        R"({"version":"writ.continuation.v1","parallel":0})", R"({"version":"writ.continuation.v1","pools":{"allow":"a"}})",
        R"({"version":"writ.continuation.v1","budget":{"maxSpendUsd":-1}})", R"({"version":"writ.continuation.v1","version":"writ.continuation.v1"})"}) {
    EXPECT_FALSE(ParseContinuationPolicy(text)) << text;
  }
}

}  // namespace
}  // namespace writ::client

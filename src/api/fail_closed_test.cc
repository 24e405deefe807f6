#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/failing_store_for_test.h"
#include "api/plane_for_test.h"

namespace writ::api {
namespace {

using isolation::Stream;
using namespace isolation::fake;  // NOLINT: the steps of scripts
using testing::HasSubstr;

class FailClosedTest : public PlaneTest {
 protected:
  std::unique_ptr<LocalPlane> PlaneThatFails(FailurePlan& plan) {
    auto options = Options();
    options.wrap_store = [&plan](std::unique_ptr<storage::Store> store) {
      return std::make_unique<FailingStore>(std::move(store), plan);
    };
    return LocalPlane::Create(std::move(options));
  }
};

TEST_F(FailClosedTest, Attack35_WithoutTheLogNothingGoesOn) {
  int ran = 0, after = 0;
  script_.steps = {Call{[&] { ++ran; }}, Print{Stream::kStdout, "x"}, Call{[&] { ++after; }}};
  FailurePlan counting;
  ASSERT_TRUE(PlaneThatFails(counting)->Run(Request(), sink_, control_));
  ASSERT_GT(counting.changes, 12);
  ran = 0;

  int refused_before_start = 0, unended = 0;
  for (int n = 0; n < counting.changes; ++n) {
    SCOPED_TRACE(n);
    FailurePlan plan{.fail_from = n, .changes = 0};
    const int ran_before = ran;
    const auto result = PlaneThatFails(plan)->Run(Request(), sink_, control_);
    ASSERT_FALSE(result) << "a run whose log failed was reported as run";
    EXPECT_EQ(result.error().code, Code::kExhausted);
    EXPECT_THAT(result.error().what, HasSubstr("no space left"));
    if (ran == ran_before) ++refused_before_start;
    // Whatever was left unended, a later process ends it, and says so.
    const auto recovered = NewPlane()->Recover();
    ASSERT_TRUE(recovered) << recovered.error().what;
    unended += static_cast<int>(recovered->size());
    for (const auto& run : *recovered) EXPECT_EQ(run.problem, "");
  }
  EXPECT_EQ(refused_before_start, 11) << "decision, run, contract, four events, status, commit; the cell and its commit";
  EXPECT_GT(unended, 0);
  const auto rows = plane().List(1000, false);
  ASSERT_TRUE(rows);
  for (const auto& row : *rows) ExpectVerified(row.run_id);
  EXPECT_TRUE(plane().VerifyDecisions());
}

TEST_F(FailClosedTest, ADecisionThatCannotBeRecordedIsNotMade) {
  Put(path("deny.yaml"), "version: 1\nrunners: {allowPools: []}\nagents: {allow: []}\n");
  policy_file_ = path("deny.yaml");
  FailurePlan plan{.fail_from = 0, .changes = 0};
  const auto result = PlaneThatFails(plan)->Run(Request(), sink_, control_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kExhausted);
}

}  // namespace
}  // namespace writ::api

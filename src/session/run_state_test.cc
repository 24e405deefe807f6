#include "session/run_state.h"

#include <gtest/gtest.h>

namespace writ::session {
namespace {

TEST(RunState, EndedRunsMoveNowhere) {
  for (int from = 0; from <= static_cast<int>(RunState::kCancelled); ++from) {
    if (!storage::IsTerminal(static_cast<RunState>(from))) continue;
    for (int to = 0; to <= static_cast<int>(RunState::kCancelled); ++to)
      EXPECT_FALSE(CanMove(static_cast<RunState>(from), static_cast<RunState>(to))) << from << " to " << to;
  }
}

TEST(RunState, EveryOtherStateCanBeCancelled) {
  for (const auto from : {RunState::kCreated, RunState::kClaimed, RunState::kRunning, RunState::kAwaitingApproval})
    EXPECT_TRUE(CanMove(from, RunState::kCancelled));
}

TEST(RunState, RefusedMovesSayWhich) {
  const auto move = CheckMove(RunState::kCompleted, RunState::kRunning);
  ASSERT_FALSE(move);
  EXPECT_EQ(move.error().what, "cannot transition run from completed to running");
}

}  // namespace
}  // namespace writ::session

#include "session/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/event.h"
#include "storage/memory/memory_store.h"

namespace writ::session {
namespace {

namespace event = contract::event;
using testing::HasSubstr;

class EventLogTest : public testing::Test {
 protected:
  EventLogTest() {
    const auto transaction = *store_->Begin();
    EXPECT_TRUE(transaction->CreateRun({.id = "run_1", .status = RunState::kCreated, .created = {}, .summary = "{}"}));
    EXPECT_TRUE(transaction->SetContract("run_1", "{}", hash_));
    EXPECT_TRUE(transaction->Commit(storage::Durability::kBuffered));
  }
  void Begin(EventLog& log) {
    ASSERT_TRUE(log.Append(event::RunCreated()));
    ASSERT_TRUE(log.Append(event::RunClaimed("rnr_1", "ed25519:0123456789abcdef")));
  }

  const std::string hash_ = std::string(64, 'a');
  FakeClock clock_{*ParseTimestamp("2026-03-01T12:00:00.000Z")};
  std::unique_ptr<storage::Store> store_ = storage::MakeMemoryStore();
};

TEST_F(EventLogTest, StoresAChainThatCanBeReopened) {
  EventLog log(*store_, clock_, "run_1", hash_);
  Begin(log);
  clock_.Advance(Millis{5});
  ASSERT_TRUE(log.Append(event::WorkspaceMaterialized(hash_)));
  auto reopened = EventLog::Reopen(*store_, clock_, *store_->GetRun("run_1"), hash_);
  ASSERT_TRUE(reopened) << reopened.error().what;
  EXPECT_EQ(reopened->facts().chain.head(), log.facts().chain.head());
  EXPECT_EQ(reopened->facts().state, RunState::kRunning);
  EXPECT_EQ(reopened->facts().runner_id, "rnr_1");
  EXPECT_GE(reopened->MonoMicros(), 5000) << "monotonic time does not go back when another process takes over";
  ASSERT_TRUE(reopened->Append(event::RunFailed("session_failed", "interrupted")));
  const auto stale = log.Append(event::RunCompleted());
  ASSERT_FALSE(stale) << "two writers of one chain";
}

TEST_F(EventLogTest, RefusesEventsThatMoveARunWhereItCannotGo) {
  EventLog log(*store_, clock_, "run_1", hash_);
  EXPECT_THAT(log.Append(event::RunClaimed("r", "k")).error().what, HasSubstr("begins with run.created"));
  EventLog fresh(*store_, clock_, "run_1", hash_);
  ASSERT_TRUE(fresh.Append(event::RunCreated()));
  EXPECT_THAT(fresh.Append(event::WorkspaceMaterialized(hash_)).error().what,
              HasSubstr("cannot transition run from created to running"));
  EXPECT_FALSE(fresh.Append(event::RunClaimed("r", "k"))) << "a log that failed once stays failed";
}

TEST_F(EventLogTest, NothingFollowsTheEnd) {
  EventLog log(*store_, clock_, "run_1", hash_);
  Begin(log);
  ASSERT_TRUE(log.Append(event::RunCompleted()));
  EXPECT_FALSE(log.Append(event::FileChanged("x", hash_)));
  EXPECT_EQ(store_->GetRun("run_1")->event_count, 3u);
}

TEST_F(EventLogTest, Attack35_AChainThatWasChangedIsNotReopened) {
  EventLog log(*store_, clock_, "run_1", hash_);
  Begin(log);
  const storage::Run run = *store_->GetRun("run_1");
  const auto other = EventLog::Reopen(*store_, clock_, run, std::string(64, 'b'));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kCorrupt);
  EXPECT_THAT(other.error().what, HasSubstr("event chain broken at seq 0: prev hash mismatch"));
  storage::Run shortened = run;
  shortened.event_count = 3;
  EXPECT_THAT(EventLog::Reopen(*store_, clock_, shortened, hash_).error().what, HasSubstr("removed or added"));
}

}  // namespace
}  // namespace writ::session

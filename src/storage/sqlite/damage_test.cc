#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "crypto/digest.h"
#include "storage/sqlite/hashes_for_test.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

class DamageTest : public testing::Test {
 protected:
  DamageTest() : directory_(*sys::TemporaryDirectory::Create("/tmp", "writ-damage-")) {}
  std::string Database() const { return directory_.path() + "/writ.db"; }
  Result<std::unique_ptr<Store>> Open(StateAccess access = StateAccess::kWrite) const {
    return OpenSqliteStore(*StateDir::Open(directory_.path(), access), {.checkpoint_pages = 1});
  }
  /// Changes the database behind the store's back.
  void Sql(const std::string& sql) const {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(Database().c_str(), &raw), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_free(message);
    sqlite3_close(raw);
  }
  static void Decide(Store& store, int count) {
    const auto t = *store.Begin();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(t->AppendDecision(kGenesis, {.kind = DecisionKind::kDeny,
                                               .at = WallTime(Millis(1000 - i)),
                                               .digest = Hash("what"),
                                               .reason = std::to_string(i)}));
    }
    ASSERT_TRUE(t->Commit(Durability::kDurable));
  }
  void MakeRuns(int count) const {
    auto store = *Open();
    for (int i = 0; i < count; ++i) {
      const std::string id = fmt::format("run_{}", i);
      const auto t = *store->Begin();
      ASSERT_TRUE(t->CreateRun({.id = id}));
      ASSERT_TRUE(t->SetContract(id, std::string(3000, 'c'), Hash("c")));
      ASSERT_TRUE(t->Commit(Durability::kDurable));
    }
  }

  sys::TemporaryDirectory directory_;
};

TEST_F(DamageTest, WhatIsNoDatabaseIsNamedWithWhatToDo) {
  ASSERT_TRUE(sys::WriteFileAtomic(Database(), std::string(8192, 'x'), 0600));
  for (const StateAccess access : {StateAccess::kWrite, StateAccess::kRead}) {
    const auto store = Open(access);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Code::kCorrupt);
    EXPECT_THAT(store.error().what, testing::HasSubstr(Database()));
    EXPECT_THAT(store.error().what, testing::HasSubstr("restore it from a backup"));
  }
}

TEST_F(DamageTest, TheDatabaseOfAnotherProgramIsLeftAlone) {
  Sql("CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)");
  EXPECT_EQ(Open().error().code, Code::kCorrupt);
  Sql("SELECT x FROM theirs");
}

TEST_F(DamageTest, ANewerSchemaIsRefused) {
  ASSERT_TRUE(Open());
  Sql("PRAGMA user_version = 1000");
  for (const StateAccess access : {StateAccess::kWrite, StateAccess::kRead}) {
    const auto store = Open(access);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Code::kUnavailable);
    EXPECT_THAT(store.error().what, testing::HasSubstr("newer Writ"));
  }
}

TEST_F(DamageTest, LinksAndOtherFileTypesAreRefused) {
  ASSERT_EQ(::symlink("/dev/null", Database().c_str()), 0);
  EXPECT_EQ(Open().error().code, Code::kDenied);
  ASSERT_EQ(::unlink(Database().c_str()), 0);
  ASSERT_EQ(::mkfifo(Database().c_str(), 0600), 0);
  EXPECT_EQ(Open().error().code, Code::kDenied);
}

TEST_F(DamageTest, TheDatabaseIsReadableForTheOwnerOnly) {
  const mode_t before = ::umask(0);
  {
    auto store = Open();
    ASSERT_TRUE(store);
    Decide(**store, 1);
    for (const char* suffix : {"", "-wal", "-shm"}) {
      struct stat status{};
      ASSERT_EQ(::stat((Database() + suffix).c_str(), &status), 0) << suffix;
      EXPECT_EQ(status.st_mode & 07777, 0600u) << suffix;
    }
  }
  ::umask(before);
}

TEST_F(DamageTest, BytesChangedAnywhereNeverCrashAndAreErrorsOrOldData) {
  MakeRuns(20);
  {
    auto store = *Open();
    Decide(*store, 20);
  }
  Sql("PRAGMA wal_checkpoint(TRUNCATE)");
  const auto whole = sys::ReadFile(Database(), 64u << 20);
  ASSERT_TRUE(whole);
  ::unlink((Database() + "-wal").c_str());
  ::unlink((Database() + "-shm").c_str());
  int refused = 0;
  for (std::size_t at = 0; at < whole->size(); at += at < 4096 ? 13 : 997) {
    std::string damaged = *whole;
    for (std::size_t i = at; i < std::min(at + 8, damaged.size()); ++i) damaged[i] = static_cast<char>(~damaged[i]);
    ASSERT_TRUE(sys::WriteFileAtomic(Database(), damaged, 0600, sys::Durability::kQuick));
    auto store = Open();
    if (store) {
      bool failed = false;
      for (int i = 0; i < 20; ++i) failed |= !(*store)->GetRun(fmt::format("run_{}", i));
      failed |= !(*store)->ListRuns(100) || !(*store)->Unfinished() || !(*store)->ResolveRun("run_1");
      failed |= !VerifyDecisions(**store, kGenesis);
      refused += failed ? 1 : 0;
    } else {
      EXPECT_FALSE(store.error().what.empty());
      ++refused;
    }
    store = Fail(Code::kInternal, "closed");
    ::unlink((Database() + "-wal").c_str());
    ::unlink((Database() + "-shm").c_str());
  }
  EXPECT_GT(refused, 10);
}

TEST_F(DamageTest, Attack35_ChangesOfTheDecisionLogShow) {
  struct Case {
    const char *why, *sql;
  };
  const Case cases[] = {
      {"edited text",
       "UPDATE decisions SET text = replace(text, '\"reason\":\"3\"', '\"reason\":\"x\"') WHERE seq = 3"},
      {"edited kind", "UPDATE decisions SET kind = 'allow' WHERE seq = 3"},
      {"edited run", "UPDATE decisions SET run = 'run_x' WHERE seq = 3"},
      {"edited hash", "UPDATE decisions SET hash = substr(hash, 2) || '0' WHERE seq = 3"},
      {"unknown kind", "UPDATE decisions SET kind = 'maybe' WHERE seq = 3"},
      {"no JSON", "UPDATE decisions SET text = '{' WHERE seq = 3"},
      {"deleted", "DELETE FROM decisions WHERE seq = 3"},
      {"deleted and closed up",
       "DELETE FROM decisions WHERE seq = 3; UPDATE decisions SET seq = seq - 1 WHERE seq > 3"},
      {"cut off at the end", "DELETE FROM decisions WHERE seq = 5"},
      {"wholly deleted", "DELETE FROM decisions"},
      {"swapped",
       "UPDATE decisions SET seq = 100 WHERE seq = 2; UPDATE decisions SET seq = 2 WHERE seq = 3; "
       "UPDATE decisions SET seq = 3 WHERE seq = 100"},
      {"repeated at the end", "INSERT INTO decisions SELECT 6, kind, run, hash, text FROM decisions WHERE seq = 5"},
      {"head set back", "UPDATE decision_head SET entries = 5, hash = (SELECT hash FROM decisions WHERE seq = 4)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    {
      auto store = *Open();
      Decide(*store, 6);
      ASSERT_TRUE(VerifyDecisions(*store, kGenesis));
    }
    Sql(c.sql);
    auto store = *Open();
    const auto verified = VerifyDecisions(*store, kGenesis);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().code, Code::kCorrupt);
    EXPECT_THAT(verified.error().what, testing::HasSubstr("decision log broken at seq "));
    store.reset();
    Sql("DELETE FROM decisions; DELETE FROM decision_head");
  }
}

TEST_F(DamageTest, Attack35_ALogThatIsSetBackAsAWholeNoLongerHasTheHeadThatContractsName) {
  std::string named;
  {
    auto store = *Open();
    Decide(*store, 3);
  }
  Sql("PRAGMA wal_checkpoint(TRUNCATE)");
  const auto older = sys::ReadFile(Database(), 64u << 20);
  ASSERT_TRUE(older);
  {
    auto store = *Open();
    Decide(*store, 3);
    named = store->GetDecisionHead(kGenesis)->hash;
  }
  for (const char* suffix : {"-wal", "-shm"}) ::unlink((Database() + suffix).c_str());
  ASSERT_TRUE(sys::WriteFileAtomic(Database(), *older, 0600));
  auto store = *Open();
  const auto verified = VerifyDecisions(*store, kGenesis);
  ASSERT_TRUE(verified) << "an older copy is consistent in itself";
  const auto decisions = *store->Decisions(0, SIZE_MAX);
  EXPECT_EQ(std::ranges::find(decisions, named, &Decision::hash), decisions.end());
}

TEST_F(DamageTest, AForkOfTheChainAfterAnEditIsRefusedOnAppend) {
  auto store = *Open();
  auto t = *store->Begin();
  ASSERT_TRUE(t->CreateRun({.id = "run_1"}));
  ASSERT_TRUE(t->SetContract("run_1", "c", Hash("c")));
  ASSERT_TRUE(t->AppendEvent("run_1", {.seq = 0, .prev = Hash("c"), .hash = Hash("0"), .text = "0"}));
  ASSERT_TRUE(t->Commit(Durability::kDurable));
  t.reset();
  store.reset();
  Sql("UPDATE runs SET events = 0, head = '" + Hash("c") + "'");
  store = *Open();
  t = *store->Begin();
  const auto forked = t->AppendEvent("run_1", {.seq = 0, .prev = Hash("c"), .hash = Hash("x"), .text = "x"});
  ASSERT_FALSE(forked) << "the row says there is no event 0, the table has one";
}

}  // namespace
}  // namespace writ::storage

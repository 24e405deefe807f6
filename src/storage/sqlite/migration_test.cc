#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "crypto/digest.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

/// The database of version 1, as it was made then: with a run that has ended, one that has not, and a decision.
constexpr const char* kVersion1 = R"sql(
PRAGMA journal_mode=WAL;
PRAGMA application_id = 0x57524954;
CREATE TABLE runs(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, created INTEGER NOT NULL,
  updated INTEGER NOT NULL, summary TEXT NOT NULL, head TEXT NOT NULL, events INTEGER NOT NULL,
  unfinished INTEGER NOT NULL) STRICT;
CREATE INDEX runs_unfinished ON runs(number) WHERE unfinished = 1;
CREATE TABLE documents(run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE, kind TEXT NOT NULL,
  text TEXT NOT NULL, PRIMARY KEY(run, kind)) STRICT, WITHOUT ROWID;
CREATE TABLE events(run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE, seq INTEGER NOT NULL,
  text TEXT NOT NULL, PRIMARY KEY(run, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE artifacts(run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE, position INTEGER NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY(run, position),
  UNIQUE(run, kind, name)) STRICT, WITHOUT ROWID;
CREATE INDEX artifacts_by_hash ON artifacts(hash);
CREATE TABLE decisions(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, run TEXT NOT NULL, hash TEXT NOT NULL,
  text TEXT NOT NULL) STRICT;
CREATE TABLE decision_head(one INTEGER PRIMARY KEY CHECK(one = 1), genesis TEXT NOT NULL, entries INTEGER NOT NULL,
  hash TEXT NOT NULL) STRICT;
CREATE TABLE stored_values(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA user_version=1;
INSERT INTO runs VALUES(3, 'ended', 'completed', 1000, 2000, '{}', 'HASH', 2, 0);
INSERT INTO runs VALUES(7, 'live', 'running', 3000, 3000, '{"a":1}', 'HASH', 3, 1);
INSERT INTO documents VALUES(3, 'contract', 'c3'), (3, 'receipt', 'r3'), (7, 'contract', 'c7');
INSERT INTO events VALUES(7, 2, '{"ts":"2026-01-03"}'), (7, 0, 'seven 0'), (7, 1, 'seven 1'), (3, 1, 'three 1'),
  (3, 0, '{"ts":"2026-01-02"}');
INSERT INTO artifacts VALUES(3, 0, 'log', '', 'HASH', 5);
INSERT INTO stored_values VALUES('k', 'v');
)sql";

std::string HeadHash() { return crypto::Sha256Hex("head"); }

TEST(Migration, Version1KeepsAllItHas) {
  const auto directory = *sys::TemporaryDirectory::Create("/tmp", "writ-migration-");
  const auto state = *StateDir::Open(directory.path() + "/state", StateAccess::kWrite);
  std::string sql = kVersion1;
  for (std::size_t at = sql.find("HASH"); at != std::string::npos; at = sql.find("HASH")) sql.replace(at, 4, HeadHash());
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(state.File("writ.db").c_str(), &raw), SQLITE_OK);
  char* message = nullptr;
  ASSERT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_close(raw);

  const auto reading = OpenSqliteStore(*StateDir::Open(state.path(), StateAccess::kRead));
  ASSERT_FALSE(reading) << "reading alone does not change it";
  EXPECT_EQ(reading.error().code, Code::kUnavailable);

  for (int opening = 0; opening < 2; ++opening) {
    auto store = OpenSqliteStore(state);
    ASSERT_TRUE(store) << store.error().what;
    EXPECT_EQ(*(*store)->Events("live"),
              (std::vector<std::string>{"seven 0", "seven 1", "{\"ts\":\"2026-01-03\"}"}));
    EXPECT_EQ(*(*store)->Events("ended"), (std::vector<std::string>{"{\"ts\":\"2026-01-02\"}", "three 1"}));
    EXPECT_EQ((*store)->GetRun("ended")->receipt, "r3");
    EXPECT_EQ((*store)->GetRun("live")->number, 7u);
    EXPECT_EQ((*store)->Artifacts("ended")->size(), 1u);
    EXPECT_EQ(*(*store)->GetValue("k"), "v");
    const auto page = (*store)->EventsAfter("2026-01-03", {}, 10);
    ASSERT_TRUE(page) << page.error().what;
    ASSERT_EQ(page->events.size(), 1u) << "events from before are looked at";
    EXPECT_EQ(page->events.front().run_id, "live");
    EXPECT_EQ(page->events.front().seq, 2u);
  }
  auto store = *OpenSqliteStore(state);
  const auto t = *store->Begin();
  const std::string next = crypto::Sha256Hex("next");
  EXPECT_TRUE(t->AppendEvent("live", {.seq = 3, .prev = HeadHash(), .hash = next, .text = "seven 3"}));
  EXPECT_TRUE(t->DeleteRun("ended"));
  EXPECT_TRUE(t->Commit(Durability::kDurable));
  EXPECT_EQ(store->Events("live")->size(), 4u) << "its neighbour's events are not its own";
}

}  // namespace
}  // namespace writ::storage

#include "storage/sqlite/schema.h"

#include <array>
#include <chrono>
#include <thread>

#include "base/deadline.h"

namespace writ::storage {
namespace {

/// Step i makes version i + 1. Steps are never changed once released, only added.
constexpr std::array kSteps = {
    R"sql(
CREATE TABLE runs(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  summary TEXT NOT NULL,
  head TEXT NOT NULL,
  events INTEGER NOT NULL,
  unfinished INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_unfinished ON runs(number) WHERE unfinished = 1;
CREATE TABLE documents(
  run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY(run, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE events(
  run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY(run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE artifacts(
  run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  hash TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY(run, position),
  UNIQUE(run, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifacts_by_hash ON artifacts(hash);
CREATE TABLE decisions(
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  run TEXT NOT NULL,
  hash TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE TABLE decision_head(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  genesis TEXT NOT NULL,
  entries INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE TABLE stored_values(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
};

/// The mode is stored in the database, so this happens once in its life. Changing it does not wait for others by
/// itself.
Result<> UseWriteAheadLog(Connection& connection, Millis busy_timeout) {
  const Deadline deadline = Deadline::After(busy_timeout);
  for (;;) {
    auto changed = connection.Execute("PRAGMA journal_mode=WAL");
    if (changed || changed.error().code != Code::kUnavailable || deadline.Passed()) return changed;
    std::this_thread::sleep_for(Millis{2});
  }
}

Result<> CheckVersion(Connection& connection, std::int64_t version) {
  if (version > SchemaVersion()) {
    return Fail(Code::kUnavailable, "{} was made by a newer Writ (schema {}, this one knows {}); use that one",
                connection.path(), version, SchemaVersion());
  }
  if (version < 0) return Fail(Code::kCorrupt, "{} has the impossible schema version {}", connection.path(), version);
  return {};
}

Result<> RunSteps(Connection& connection, std::int64_t version) {
  for (; version < SchemaVersion(); ++version) {
    WRIT_TRY("make tables", connection.Execute(kSteps.at(static_cast<std::size_t>(version))));
  }
  return connection.Execute(fmt::format("PRAGMA user_version={}", SchemaVersion()).c_str());
}

}  // namespace

int SchemaVersion() { return static_cast<int>(kSteps.size()); }

Result<> Migrate(Connection& connection, Millis busy_timeout) {
  std::int64_t version = WRIT_TRY("look at the schema", connection.Query("PRAGMA user_version"));
  if (version == SchemaVersion()) return {};
  WRIT_TRY("look at the schema", CheckVersion(connection, version));
  if (version == 0) {
    const std::int64_t tables = WRIT_TRY("look at the schema", connection.Query("SELECT count(*) FROM sqlite_schema"));
    const std::int64_t id = WRIT_TRY("look at the schema", connection.Query("PRAGMA application_id"));
    if (id != kApplicationId && (tables != 0 || id != 0)) {
      return Fail(Code::kCorrupt, "{} is the database of another program; move it away", connection.path());
    }
    WRIT_TRY("make the store", UseWriteAheadLog(connection, busy_timeout));
    // The log's directory entry becomes durable before any schema does, so whoever finds a schema may rely on it.
    WRIT_TRY("make the store", connection.Execute(kSetApplicationId));
    WRIT_TRY("make the store", connection.SyncLogAndEntry());
  }
  WRIT_TRY("make the store", connection.Execute("BEGIN IMMEDIATE"));
  const auto steps = [&]() -> Result<> {
    // Another process may have done it meanwhile.
    version = WRIT_TRY("look at the schema", connection.Query("PRAGMA user_version"));
    WRIT_TRY("look at the schema", CheckVersion(connection, version));
    if (version < SchemaVersion()) WRIT_TRY("make the store", RunSteps(connection, version));
    return connection.Execute("COMMIT");
  };
  auto done = steps();
  if (!done && connection.in_transaction()) {
    // The failure that is reported is the first one; what cannot be undone now is undone by the next opening.
    static_cast<void>(connection.Execute("ROLLBACK"));
  }
  WRIT_TRY("make the store", std::move(done));
  return connection.SyncLog();
}

Result<> CheckSchema(Connection& connection) {
  const std::int64_t version = WRIT_TRY("look at the schema", connection.Query("PRAGMA user_version"));
  WRIT_TRY("look at the schema", CheckVersion(connection, version));
  if (version == SchemaVersion()) return {};
  return Fail(Code::kUnavailable, "{} has schema {} and needs {}; run any writ command that may write to it first",
              connection.path(), version, SchemaVersion());
}

}  // namespace writ::storage

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
    // Runs made before have a last_ts above every timestamp, so their events are always looked at. An event's place is
    // EventPlace (transaction.h): appending to a table ordered by one number costs half of what (run, seq) did.
    R"sql(
ALTER TABLE runs ADD COLUMN last_ts TEXT NOT NULL DEFAULT '~';
CREATE TABLE chains(
  place INTEGER PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;
INSERT INTO chains(place, text) SELECT run << 32 | seq, text FROM events ORDER BY run, seq;
DROP TABLE events;
ALTER TABLE chains RENAME TO events;
CREATE INDEX runs_by_status ON runs(status);
CREATE INDEX runs_ended ON runs(updated) WHERE status IN ('completed', 'failed', 'cancelled');
CREATE TABLE queue(
  run INTEGER PRIMARY KEY REFERENCES runs(number) ON DELETE CASCADE,
  pool TEXT NOT NULL,
  needs TEXT NOT NULL,
  expires INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  waiting INTEGER NOT NULL
) STRICT;
CREATE INDEX queue_by_pool ON queue(pool) WHERE waiting = 1;
CREATE INDEX queue_by_expiry ON queue(expires) WHERE waiting = 1;
CREATE TABLE leases(
  run INTEGER PRIMARY KEY REFERENCES runs(number) ON DELETE CASCADE,
  runner TEXT NOT NULL,
  claim TEXT NOT NULL,
  until INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  renewable INTEGER NOT NULL
) STRICT;
CREATE INDEX leases_by_end ON leases(until);
CREATE TABLE principals(
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  id TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  token TEXT NOT NULL UNIQUE,
  created INTEGER NOT NULL,
  revoked INTEGER NOT NULL
) STRICT;
CREATE TABLE runners(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  pool TEXT NOT NULL,
  key_id TEXT NOT NULL,
  public_pem TEXT NOT NULL,
  token TEXT NOT NULL UNIQUE,
  enrolled INTEGER NOT NULL,
  labels TEXT NOT NULL
) STRICT;
CREATE TABLE enroll_tokens(
  token TEXT PRIMARY KEY,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX enroll_tokens_by_expiry ON enroll_tokens(expires);
CREATE TABLE nonces(
  nonce TEXT PRIMARY KEY,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_expiry ON nonces(expires);
CREATE TABLE approvals(
  run INTEGER NOT NULL REFERENCES runs(number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  policy TEXT NOT NULL,
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY(run, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE idempotent(
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  answer TEXT NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY(scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_by_expiry ON idempotent(expires);
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

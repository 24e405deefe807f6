#include "storage/event_page.h"
#include "storage/sqlite/sqlite_store.h"
#include "storage/sqlite/transaction.h"

namespace writ::storage {
namespace {

/// Columns that make a value of that type, in this order.
#define WRIT_QUEUE_COLUMNS "runs.id, runs.number, queue.attempts, queue.pool, queue.needs, queue.expires"
#define WRIT_PRINCIPAL_COLUMNS "id, name, role, token, created, revoked"
#define WRIT_RUNNER_COLUMNS "id, pool, key_id, public_pem, token, enrolled, labels"

QueuedRun ReadQueued(const Statement& row) {
  return {row.Text(0), row.Count(1), static_cast<std::uint32_t>(row.Count(2)), {row.Text(3), row.Text(4), row.Time(5)}};
}

Principal ReadPrincipal(const Statement& row) {
  return {row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Time(4), row.Number(5) != 0};
}

Runner ReadRunner(const Statement& row) {
  return {row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Text(4), row.Time(5), row.Text(6)};
}

template <class Read>
auto All(Statement list, Read read) -> Result<std::vector<decltype(read(list))>> {
  std::vector<decltype(read(list))> rows;
  while (WRIT_TRY("list", list.Step())) rows.push_back(read(list));
  return rows;
}

template <class Read>
auto AtMostOne(Statement find, Read read) -> Result<std::optional<decltype(read(find))>> {
  const bool row = WRIT_TRY("find", find.Step());
  if (!row) return std::nullopt;
  return read(find);
}

Result<std::optional<WallTime>> First(Connection& connection, const char* sql) {
  return AtMostOne(WRIT_TRY("find", connection.Prepare(sql)), [](const Statement& row) { return row.Time(0); });
}

}  // namespace

Result<std::optional<std::string>> SqliteStore::GetDocument(std::string_view id, std::string_view kind) {
  const RunRow row = WRIT_TRY("read document", FindRun(*connection_, id));
  return FindDocument(*connection_, row.number, kind);
}

Result<std::vector<QueuedRun>> SqliteStore::Queued(std::string_view pool, std::size_t limit,
                                                   std::uint64_t after_number) {
  Statement list = WRIT_TRY(
      "read queue", connection_->Prepare("SELECT " WRIT_QUEUE_COLUMNS
                                         " FROM queue JOIN runs ON runs.number = queue.run WHERE queue.waiting = 1 AND "
                                         "queue.pool = ? AND queue.run > ? ORDER BY queue.run LIMIT ?"));
  list.Bind(pool).Bind(Clamp(after_number)).Bind(Clamp(limit));
  return All(std::move(list), ReadQueued);
}

Result<std::vector<QueuedRun>> SqliteStore::ExpiredQueue(WallTime now, std::size_t limit) {
  Statement list = WRIT_TRY(
      "read queue", connection_->Prepare("SELECT " WRIT_QUEUE_COLUMNS
                                         " FROM queue JOIN runs ON runs.number = queue.run WHERE queue.waiting = 1 AND "
                                         "queue.expires <= ? ORDER BY queue.expires, queue.run LIMIT ?"));
  list.Bind(now).Bind(Clamp(limit));
  return All(std::move(list), ReadQueued);
}

Result<std::optional<WallTime>> SqliteStore::NextQueueEnd() {
  return First(*connection_, "SELECT expires FROM queue WHERE waiting = 1 ORDER BY expires LIMIT 1");
}

Result<std::optional<Lease>> SqliteStore::GetLease(std::string_view id) {
  const RunRow row = WRIT_TRY("read lease", FindRun(*connection_, id));
  return FindLease(*connection_, row.number);
}

Result<std::vector<LeasedRun>> SqliteStore::ExpiredLeases(WallTime now, std::size_t limit) {
  Statement list = WRIT_TRY(
      "read leases",
      connection_->Prepare("SELECT runs.id, runner, claim, until, attempt, renewable FROM leases JOIN runs ON "
                           "runs.number = leases.run WHERE until <= ? ORDER BY until, run LIMIT ?"));
  list.Bind(now).Bind(Clamp(limit));
  return All(std::move(list), [](const Statement& row) {
    return LeasedRun{row.Text(0),
                     {row.Text(1), row.Text(2), row.Time(3), static_cast<std::uint32_t>(row.Count(4)),
                      row.Number(5) != 0}};
  });
}

Result<std::optional<WallTime>> SqliteStore::NextLeaseEnd() {
  return First(*connection_, "SELECT until FROM leases ORDER BY until LIMIT 1");
}

Result<std::optional<Principal>> SqliteStore::FindPrincipalByToken(std::string_view token_hash) {
  Statement find = WRIT_TRY(
      "find principal",
      connection_->Prepare("SELECT " WRIT_PRINCIPAL_COLUMNS " FROM principals WHERE token = ? AND revoked = 0"));
  find.Bind(token_hash);
  return AtMostOne(std::move(find), ReadPrincipal);
}

Result<std::optional<Principal>> SqliteStore::FindPrincipal(std::string_view name) {
  Statement find =
      WRIT_TRY("find principal",
               connection_->Prepare("SELECT " WRIT_PRINCIPAL_COLUMNS " FROM principals WHERE name = ?"));
  find.Bind(name);
  return AtMostOne(std::move(find), ReadPrincipal);
}

Result<std::vector<Principal>> SqliteStore::Principals() {
  return All(WRIT_TRY("list principals",
                      connection_->Prepare("SELECT " WRIT_PRINCIPAL_COLUMNS " FROM principals ORDER BY number")),
             ReadPrincipal);
}

Result<std::optional<Runner>> SqliteStore::FindRunnerByToken(std::string_view token_hash) {
  Statement find = WRIT_TRY(
      "find runner", connection_->Prepare("SELECT " WRIT_RUNNER_COLUMNS " FROM runners WHERE token = ?"));
  find.Bind(token_hash);
  return AtMostOne(std::move(find), ReadRunner);
}

Result<std::optional<Runner>> SqliteStore::FindRunner(std::string_view id) {
  Statement find =
      WRIT_TRY("find runner", connection_->Prepare("SELECT " WRIT_RUNNER_COLUMNS " FROM runners WHERE id = ?"));
  find.Bind(id);
  return AtMostOne(std::move(find), ReadRunner);
}

Result<std::vector<Runner>> SqliteStore::Runners() {
  return All(WRIT_TRY("list runners",
                      connection_->Prepare("SELECT " WRIT_RUNNER_COLUMNS " FROM runners ORDER BY number")),
             ReadRunner);
}

Result<std::vector<Approval>> SqliteStore::Approvals(std::string_view id) {
  const RunRow row = WRIT_TRY("read approvals", FindRun(*connection_, id));
  Statement list = WRIT_TRY(
      "read approvals",
      connection_->Prepare("SELECT actor_kind, actor_id, digest, policy, verdict, reason, at, expires FROM approvals "
                           "WHERE run = ? ORDER BY position"));
  list.Bind(row.number);
  return All(std::move(list), [](const Statement& answer) {
    return Approval{answer.Text(0), answer.Text(1), answer.Text(2), answer.Text(3),
                    answer.Text(4), answer.Text(5), answer.Time(6), answer.Time(7)};
  });
}

Result<std::optional<Idempotent>> SqliteStore::GetIdempotent(std::string_view scope, std::string_view key) {
  Statement find =
      WRIT_TRY("read answer",
               connection_->Prepare("SELECT body, answer, expires FROM idempotent WHERE scope = ? AND key = ?"));
  find.Bind(scope).Bind(key);
  return AtMostOne(std::move(find),
                   [](const Statement& row) { return Idempotent{row.Text(0), row.Text(1), row.Time(2)}; });
}

Result<std::vector<Run>> SqliteStore::RunsWithStatus(RunStatus status, std::size_t limit,
                                                     std::optional<std::uint64_t> before) {
  Statement list = WRIT_TRY(
      "list runs", connection_->Prepare("SELECT id, status, number, created, updated, summary, head, events FROM runs "
                                        "WHERE status = ? AND number < ? ORDER BY number DESC LIMIT ?"));
  list.Bind(RunStatusName(status)).Bind(Clamp(before.value_or(INT64_MAX))).Bind(Clamp(limit));
  return ReadRuns(*connection_, std::move(list));
}

Result<std::vector<std::string>> SqliteStore::Retirable(WallTime older_than, std::size_t limit) {
  Statement list = WRIT_TRY(
      "find old runs",
      connection_->Prepare("SELECT id FROM runs WHERE status IN ('completed', 'failed', 'cancelled') AND updated < ? "
                           "ORDER BY updated, number LIMIT ?"));
  list.Bind(older_than).Bind(Clamp(limit));
  return All(std::move(list), [](const Statement& row) { return row.Text(0); });
}

Result<EventPage> SqliteStore::EventsAfter(std::string_view since, const EventCursor& from, std::size_t limit) {
  EventPageBuilder page(since, limit);
  if (page.Full()) return std::move(page).More(from);
  Statement runs = WRIT_TRY(
      "read events", connection_->Prepare("SELECT id, number, last_ts FROM runs WHERE id >= ? ORDER BY id"));
  runs.Bind(from.run_id);
  while (WRIT_TRY("read events", runs.Step())) {
    const std::string id = runs.Text(0);
    std::uint64_t next = id == from.run_id ? from.seq : 0;
    if (page.Full()) return std::move(page).More({id, next});
    page.LookAtRun();
    if (page.Passes(runs.Text(2))) continue;
    Statement events = WRIT_TRY(
        "read events",
        connection_->Prepare("SELECT place, text FROM events WHERE place >= ? AND place < ? ORDER BY place"));
    events.Bind(EventPlace(runs.Number(1), next)).Bind(EventPlace(runs.Number(1) + 1, 0));
    while (WRIT_TRY("read events", events.Step())) {
      const std::uint64_t seq = SeqOfPlace(events.Number(0));
      if (page.Full()) return std::move(page).More({id, seq});
      page.Offer(id, seq, events.Text(1));
    }
  }
  return std::move(page).Done();
}

}  // namespace writ::storage

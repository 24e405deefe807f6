#include <utility>

#include "storage/plane_rules.h"
#include "storage/sqlite/transaction.h"

namespace writ::storage {
namespace {

/// A run's row in the queue, which it keeps while it is claimed.
Result<std::optional<QueuePlace>> FindPlace(Connection& connection, std::int64_t run) {
  Statement find = WRIT_TRY("read queue", connection.Prepare("SELECT attempts, waiting FROM queue WHERE run = ?"));
  const bool row = WRIT_TRY("read queue", find.Bind(run).Step());
  if (!row) return std::nullopt;
  return QueuePlace{static_cast<std::uint32_t>(find.Count(0)), find.Number(1) != 0};
}

}  // namespace

Result<> SqliteTransaction::Within(const std::function<Result<bool>()>& change) {
  WRIT_TRY("begin change", Execute("SAVEPOINT change"));
  const Result<bool> kept = change();
  if (broken_) return std::unexpected(*broken_);
  if (!kept || !*kept) WRIT_TRY("undo change", Execute("ROLLBACK TO change"));
  WRIT_TRY("end change", Execute("RELEASE change"));
  if (!kept) return std::unexpected(kept.error());
  return {};
}

Result<> SqliteTransaction::AppendEvents(std::string_view id, std::span<const NewEvent> events) {
  return Guard([&] { return StoreEvents(id, events); });
}

Result<> SqliteTransaction::StoreEvents(std::string_view id, std::span<const NewEvent> events) {
  const RunRow row = WRIT_TRY("append event", FindRun(connection_, id));
  // The head is empty until there is a contract, and a receipt ends the run: no need to look for either.
  const RunState state{row.status, !row.head.empty(), false, row.head, row.event_count};
  WRIT_TRY("append event", CheckEvents(id, state, events));
  if (events.empty()) return {};
  if (row.number > kRunNumberMax) return Fail(Code::kExhausted, "the store has had too many runs for events");
  Statement insert =
      WRIT_TRY("append event", connection_.Prepare("INSERT INTO events(place, text) VALUES(?, ?)"));
  for (const NewEvent& event : events) {
    WRIT_TRY("append event", insert.Bind(EventPlace(row.number, event.seq)).Bind(event.text).Run());
    insert.Again();
  }
  Statement update = WRIT_TRY(
      "append event", connection_.Prepare("UPDATE runs SET head = ?, events = ?, last_ts = ? WHERE number = ?"));
  update.Bind(events.back().hash).Bind(events.back().seq + 1).Bind(NewestTimestamp(row.last_ts, events));
  return update.Bind(row.number).Run();
}

Result<> SqliteTransaction::PutDocument(std::string_view id, std::string_view kind, std::string_view text) {
  WRIT_TRY("store document", CheckDocument(id, kind));
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("store document", FindRun(connection_, id));
    Statement put = WRIT_TRY("store document",
                             connection_.Prepare("INSERT INTO documents(run, kind, text) VALUES(?, ?, ?) ON "
                                                 "CONFLICT(run, kind) DO UPDATE SET text = excluded.text"));
    return put.Bind(row.number).Bind(kind).Bind(text).Run();
  });
}

Result<> SqliteTransaction::Enqueue(std::string_view id, const QueueEntry& entry) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("enqueue", FindRun(connection_, id));
    const auto place = WRIT_TRY("enqueue", FindPlace(connection_, row.number));
    const RunState state{row.status, !row.head.empty(), false, row.head, row.event_count};
    WRIT_TRY("enqueue", CheckEnqueue(id, state, place.has_value(), entry));
    Statement insert =
        WRIT_TRY("enqueue", connection_.Prepare("INSERT INTO queue(run, pool, needs, expires, attempts, waiting) "
                                                "VALUES(?, ?, ?, ?, 0, 1)"));
    return insert.Bind(row.number).Bind(entry.pool).Bind(entry.needs).Bind(entry.expires).Run();
  });
}

Result<> SqliteTransaction::Claim(std::string_view id, const Lease& lease, WallTime now) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("claim", FindRun(connection_, id));
    const auto place = WRIT_TRY("claim", FindPlace(connection_, row.number));
    WRIT_TRY("claim", CheckClaim(id, row.status, place, lease));
    Statement leave =
        WRIT_TRY("claim", connection_.Prepare("UPDATE queue SET waiting = 0, attempts = ? WHERE run = ?"));
    WRIT_TRY("claim", leave.Bind(std::int64_t{lease.attempt}).Bind(row.number).Run());
    Statement insert =
        WRIT_TRY("claim", connection_.Prepare("INSERT INTO leases(run, runner, claim, until, attempt, renewable) "
                                              "VALUES(?, ?, ?, ?, ?, ?)"));
    insert.Bind(row.number).Bind(lease.runner_id).Bind(lease.claim_id).Bind(lease.until);
    WRIT_TRY("claim", insert.Bind(std::int64_t{lease.attempt}).Bind(std::int64_t{lease.renewable ? 1 : 0}).Run());
    return UpdateStatus(row.number, RunStatus::kClaimed, now);
  });
}

Result<> SqliteTransaction::RenewLease(std::string_view id, std::string_view claim_id, WallTime until) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("renew lease", FindRun(connection_, id));
    const auto lease = WRIT_TRY("renew lease", FindLease(connection_, row.number));
    WRIT_TRY("renew lease", CheckRenew(id, lease, claim_id));
    Statement update = WRIT_TRY("renew lease", connection_.Prepare("UPDATE leases SET until = ? WHERE run = ?"));
    return update.Bind(until).Bind(row.number).Run();
  });
}

Result<> SqliteTransaction::Requeue(std::string_view id, WallTime now) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("requeue", FindRun(connection_, id));
    const auto lease = WRIT_TRY("requeue", FindLease(connection_, row.number));
    const auto place = WRIT_TRY("requeue", FindPlace(connection_, row.number));
    WRIT_TRY("requeue", CheckRequeue(id, row.status, lease.has_value(), place));
    Statement remove = WRIT_TRY("requeue", connection_.Prepare("DELETE FROM leases WHERE run = ?"));
    WRIT_TRY("requeue", remove.Bind(row.number).Run());
    Statement update = WRIT_TRY("requeue", connection_.Prepare("UPDATE queue SET waiting = 1 WHERE run = ?"));
    WRIT_TRY("requeue", update.Bind(row.number).Run());
    return UpdateStatus(row.number, RunStatus::kCreated, now);
  });
}

Result<> SqliteTransaction::AddPrincipal(const Principal& principal) {
  WRIT_TRY("add principal", CheckPrincipal(principal));
  return Guard([&]() -> Result<> {
    Statement insert =
        WRIT_TRY("add principal",
                 connection_.Prepare("INSERT INTO principals(name, id, role, token, created, revoked) "
                                     "VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
    insert.Bind(principal.name).Bind(principal.id).Bind(principal.role).Bind(principal.token_hash);
    WRIT_TRY("add principal", insert.Bind(principal.created).Bind(std::int64_t{principal.revoked ? 1 : 0}).Run());
    if (connection_.changes() == 1) return {};
    Statement find = WRIT_TRY("add principal", connection_.Prepare("SELECT 1 FROM principals WHERE name = ?"));
    const bool same_name = WRIT_TRY("add principal", find.Bind(principal.name).Step());
    if (same_name) return PrincipalExists(principal.name);
    return TokenTaken();
  });
}

Result<> SqliteTransaction::ReplacePrincipalToken(std::string_view name, std::string_view token_hash) {
  WRIT_TRY("replace token", CheckTokenHash(token_hash));
  return Guard([&]() -> Result<> {
    Statement find =
        WRIT_TRY("replace token", connection_.Prepare("SELECT name FROM principals WHERE token = ?"));
    const bool taken = WRIT_TRY("replace token", find.Bind(token_hash).Step());
    if (taken && find.Text(0) != name) return TokenTaken();
    Statement update =
        WRIT_TRY("replace token", connection_.Prepare("UPDATE principals SET token = ?, revoked = 0 WHERE name = ?"));
    WRIT_TRY("replace token", update.Bind(token_hash).Bind(name).Run());
    if (connection_.changes() == 0) return NoSuchPrincipal(name);
    return {};
  });
}

Result<> SqliteTransaction::RevokePrincipal(std::string_view name) {
  return Guard([&]() -> Result<> {
    Statement update = WRIT_TRY("revoke", connection_.Prepare("UPDATE principals SET revoked = 1 WHERE name = ?"));
    WRIT_TRY("revoke", update.Bind(name).Run());
    if (connection_.changes() == 0) return NoSuchPrincipal(name);
    return {};
  });
}

Result<> SqliteTransaction::AddEnrollToken(std::string_view token_hash, WallTime expires) {
  WRIT_TRY("add enrol token", CheckTokenHash(token_hash));
  return Guard([&]() -> Result<> {
    Statement insert =
        WRIT_TRY("add enrol token", connection_.Prepare("INSERT INTO enroll_tokens(token, expires) VALUES(?, ?) "
                                                        "ON CONFLICT DO NOTHING"));
    WRIT_TRY("add enrol token", insert.Bind(token_hash).Bind(expires).Run());
    if (connection_.changes() == 0) return EnrollTokenExists();
    return {};
  });
}

Result<bool> SqliteTransaction::ConsumeEnrollToken(std::string_view token_hash, WallTime now) {
  bool consumed = false;
  const auto done = Guard([&]() -> Result<> {
    Statement remove = WRIT_TRY("use enrol token",
                                connection_.Prepare("DELETE FROM enroll_tokens WHERE token = ? AND expires > ?"));
    WRIT_TRY("use enrol token", remove.Bind(token_hash).Bind(now).Run());
    consumed = connection_.changes() == 1;
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return consumed;
}

Result<> SqliteTransaction::AddRunner(const Runner& runner) {
  WRIT_TRY("add runner", CheckRunner(runner));
  return Guard([&]() -> Result<> {
    Statement insert = WRIT_TRY(
        "add runner", connection_.Prepare("INSERT INTO runners(id, pool, key_id, public_pem, token, enrolled, labels) "
                                          "VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
    insert.Bind(runner.id).Bind(runner.pool).Bind(runner.key_id).Bind(runner.public_pem).Bind(runner.token_hash);
    WRIT_TRY("add runner", insert.Bind(runner.enrolled).Bind(runner.labels).Run());
    if (connection_.changes() == 0) return RunnerExists(runner.id);
    return {};
  });
}

Result<bool> SqliteTransaction::SpendNonce(std::string_view nonce, WallTime expires) {
  WRIT_TRY("spend nonce", CheckNonce(nonce));
  bool spent = false;
  const auto done = Guard([&]() -> Result<> {
    Statement insert = WRIT_TRY(
        "spend nonce",
        connection_.Prepare("INSERT INTO nonces(nonce, expires) VALUES(?, ?) ON CONFLICT DO NOTHING"));
    WRIT_TRY("spend nonce", insert.Bind(nonce).Bind(expires).Run());
    spent = connection_.changes() == 1;
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return spent;
}

Result<> SqliteTransaction::AddApproval(std::string_view id, const Approval& approval) {
  WRIT_TRY("add approval", CheckApproval(id, approval));
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("add approval", FindRun(connection_, id));
    Statement insert = WRIT_TRY(
        "add approval",
        connection_.Prepare("INSERT INTO approvals(run, position, actor_kind, actor_id, digest, policy, verdict, "
                            "reason, at, expires) VALUES(?1, (SELECT ifnull(max(position) + 1, 0) FROM approvals "
                            "WHERE run = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"));
    insert.Bind(row.number).Bind(approval.actor_kind).Bind(approval.actor_id).Bind(approval.digest);
    insert.Bind(approval.policy_hash).Bind(approval.verdict).Bind(approval.reason);
    return insert.Bind(approval.at).Bind(approval.expires).Run();
  });
}

Result<> SqliteTransaction::PutIdempotent(std::string_view scope, std::string_view key, const Idempotent& answer) {
  WRIT_TRY("keep answer", CheckIdempotent(scope, key, answer));
  return Guard([&]() -> Result<> {
    Statement put = WRIT_TRY(
        "keep answer",
        connection_.Prepare("INSERT INTO idempotent(scope, key, body, answer, expires) VALUES(?, ?, ?, ?, ?) "
                            "ON CONFLICT(scope, key) DO UPDATE SET body = excluded.body, answer = excluded.answer, "
                            "expires = excluded.expires"));
    return put.Bind(scope).Bind(key).Bind(answer.body_hash).Bind(answer.answer).Bind(answer.expires).Run();
  });
}

Result<> SqliteTransaction::ForgetExpired(WallTime now) {
  return Guard([&]() -> Result<> {
    for (const char* sql :
         {"DELETE FROM nonces WHERE expires <= ?", "DELETE FROM enroll_tokens WHERE expires <= ?",
          "DELETE FROM idempotent WHERE expires <= ?"}) {
      Statement forget = WRIT_TRY("forget", connection_.Prepare(sql));
      WRIT_TRY("forget", forget.Bind(now).Run());
    }
    return {};
  });
}

Result<> SqliteTransaction::LeaveQueue(std::int64_t run) {
  for (const char* sql : {"DELETE FROM queue WHERE run = ?", "DELETE FROM leases WHERE run = ?"}) {
    Statement leave = WRIT_TRY("leave queue", connection_.Prepare(sql));
    WRIT_TRY("leave queue", leave.Bind(run).Run());
  }
  return {};
}

Result<std::optional<Lease>> FindLease(Connection& connection, std::int64_t run) {
  Statement find = WRIT_TRY(
      "read lease", connection.Prepare("SELECT runner, claim, until, attempt, renewable FROM leases WHERE run = ?"));
  const bool row = WRIT_TRY("read lease", find.Bind(run).Step());
  if (!row) return std::nullopt;
  return Lease{find.Text(0), find.Text(1), find.Time(2), static_cast<std::uint32_t>(find.Count(3)),
               find.Number(4) != 0};
}

}  // namespace writ::storage

#include "storage/sqlite/transaction.h"

#include "storage/decision_log.h"
#include "storage/rules.h"

namespace writ::storage {
namespace {

/// Pages in the log after which a long-lived process moves them into the database between two commits.
constexpr int kCheckpointPages = 4000;

}  // namespace

Result<std::unique_ptr<Transaction>> SqliteTransaction::Begin(Connection& connection, bool& open) {
  if (connection.doubt()) return std::unexpected(*connection.doubt());
  WRIT_TRY("begin", connection.Execute("BEGIN IMMEDIATE"));
  return std::unique_ptr<Transaction>(new SqliteTransaction(connection, open));
}

SqliteTransaction::~SqliteTransaction() {
  // Nothing to report to: a rollback that fails is made up for by whoever opens the database next.
  if (connection_.in_transaction()) static_cast<void>(connection_.Execute("ROLLBACK"));
  open_ = false;
}

Result<> SqliteTransaction::CreateRun(const NewRun& run) {
  WRIT_TRY("create run", CheckNewRun(run));
  return Guard([&]() -> Result<> {
    Statement insert = WRIT_TRY(
        "create run",
        connection_.Prepare("INSERT INTO runs(id, status, created, updated, summary, head, events, unfinished, "
                            "last_ts) VALUES(?, ?, ?, ?, ?, '', 0, 0, '') ON CONFLICT(id) DO NOTHING"));
    insert.Bind(run.id).Bind(RunStatusName(run.status)).Bind(run.created).Bind(run.created).Bind(run.summary);
    WRIT_TRY("create run", insert.Run());
    if (connection_.changes() == 0) return RunExists(run.id);
    return {};
  });
}

Result<> SqliteTransaction::SetContract(std::string_view id, std::string_view text, std::string_view contract_hash) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("store contract", FindRun(connection_, id));
    const RunState state = WRIT_TRY("store contract", StateOf(row));
    WRIT_TRY("store contract", CheckContract(id, state, contract_hash));
    WRIT_TRY("store contract", AddDocument(row.number, kContractDocument, text));
    Statement update =
        WRIT_TRY("store contract", connection_.Prepare("UPDATE runs SET head = ?, unfinished = 1 WHERE number = ?"));
    return update.Bind(contract_hash).Bind(row.number).Run();
  });
}

Result<> SqliteTransaction::AppendEvent(std::string_view id, const NewEvent& event) {
  return Guard([&] { return StoreEvents(id, {&event, 1}); });
}

Result<> SqliteTransaction::SetReceipt(std::string_view id, std::string_view text, std::string_view events_head,
                                       RunStatus status, WallTime now) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("store receipt", FindRun(connection_, id));
    const RunState state = WRIT_TRY("store receipt", StateOf(row));
    WRIT_TRY("store receipt", CheckReceipt(id, state, events_head, status));
    WRIT_TRY("store receipt", AddDocument(row.number, kReceiptDocument, text));
    Statement update =
        WRIT_TRY("store receipt",
                 connection_.Prepare("UPDATE runs SET status = ?, updated = ?, unfinished = 0 WHERE number = ?"));
    WRIT_TRY("store receipt", update.Bind(RunStatusName(status)).Bind(now).Bind(row.number).Run());
    return LeaveQueue(row.number);
  });
}

Result<> SqliteTransaction::SetStatus(std::string_view id, RunStatus status, WallTime now) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("set status", FindRun(connection_, id));
    WRIT_TRY("set status", CheckStatus(id, {row.status, false, false, {}, 0}));
    WRIT_TRY("set status", UpdateStatus(row.number, status, now));
    return IsTerminal(status) ? LeaveQueue(row.number) : Result<>();
  });
}

Result<> SqliteTransaction::SetSummary(std::string_view id, std::string_view summary) {
  return Guard([&]() -> Result<> {
    Statement update = WRIT_TRY("set summary", connection_.Prepare("UPDATE runs SET summary = ? WHERE id = ?"));
    WRIT_TRY("set summary", update.Bind(summary).Bind(id).Run());
    if (connection_.changes() == 0) return NoSuchRun(id);
    return {};
  });
}

Result<> SqliteTransaction::AddArtifact(std::string_view id, const Artifact& artifact) {
  WRIT_TRY("add artifact", CheckArtifact(id, artifact));
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("add artifact", FindRun(connection_, id));
    Statement insert = WRIT_TRY(
        "add artifact",
        connection_.Prepare("INSERT INTO artifacts(run, position, kind, name, hash, bytes) VALUES(?1, "
                            "(SELECT ifnull(max(position) + 1, 0) FROM artifacts WHERE run = ?1), ?2, ?3, ?4, ?5) "
                            "ON CONFLICT(run, kind, name) DO NOTHING"));
    insert.Bind(row.number).Bind(artifact.kind).Bind(artifact.name).Bind(artifact.hash).Bind(artifact.bytes);
    WRIT_TRY("add artifact", insert.Run());
    if (connection_.changes() == 0) {
      return Fail(Code::kInvalid, "run {} has an artifact of that kind and name already", id);
    }
    return {};
  });
}

Result<> SqliteTransaction::DeleteRun(std::string_view id) {
  return Guard([&]() -> Result<> {
    const RunRow row = WRIT_TRY("delete run", FindRun(connection_, id));
    Statement events =
        WRIT_TRY("delete run", connection_.Prepare("DELETE FROM events WHERE place >= ? AND place < ?"));
    WRIT_TRY("delete run", events.Bind(EventPlace(row.number, 0)).Bind(EventPlace(row.number + 1, 0)).Run());
    Statement remove = WRIT_TRY("delete run", connection_.Prepare("DELETE FROM runs WHERE number = ?"));
    return remove.Bind(row.number).Run();
  });
}

Result<DecisionHead> SqliteTransaction::AppendDecision(std::string_view genesis, const NewDecision& decision) {
  WRIT_TRY("log decision", CheckDecision(genesis, decision));
  DecisionHead next;
  auto done = Guard([&] { return StoreDecision(genesis, decision, next); });
  if (!done) return std::unexpected(std::move(done).error());
  return next;
}

Result<> SqliteTransaction::PutValue(std::string_view key, std::string_view value) {
  return Guard([&]() -> Result<> {
    Statement put =
        WRIT_TRY("store value", connection_.Prepare("INSERT INTO stored_values(key, value) VALUES(?, ?) ON "
                                                    "CONFLICT(key) DO UPDATE SET value = excluded.value"));
    return put.Bind(key).Bind(value).Run();
  });
}

Result<> SqliteTransaction::Execute(const char* sql) {
  return Guard([&]() -> Result<> { return WRIT_TRY("run", connection_.Prepare(sql)).Run(); });
}

Result<> SqliteTransaction::Commit(Durability durability) {
  WRIT_TRY("commit", Guard([&] { return connection_.Execute("COMMIT"); }));
  finished_ = true;
  if (durability == Durability::kDurable) WRIT_TRY("commit", connection_.SyncCommit());
  connection_.Checkpoint(kCheckpointPages);
  return {};
}

Result<> SqliteTransaction::StoreDecision(std::string_view genesis, const NewDecision& decision, DecisionHead& next) {
  const DecisionHead head = WRIT_TRY("log decision", FindDecisionHead(connection_, genesis));
  DecisionEntry entry = WRIT_TRY("log decision", MakeDecisionEntry(head, decision));
  Statement insert = WRIT_TRY(
      "log decision", connection_.Prepare("INSERT INTO decisions(seq, kind, run, hash, text) VALUES(?, ?, ?, ?, ?)"));
  insert.Bind(head.count).Bind(DecisionKindName(decision.kind)).Bind(decision.run_id).Bind(entry.hash);
  WRIT_TRY("log decision", insert.Bind(entry.text).Run());
  Statement update = WRIT_TRY(
      "log decision",
      connection_.Prepare("INSERT INTO decision_head(one, genesis, entries, hash) VALUES(1, ?, ?, ?) "
                          "ON CONFLICT(one) DO UPDATE SET entries = excluded.entries, hash = excluded.hash"));
  WRIT_TRY("log decision", update.Bind(genesis).Bind(head.count + 1).Bind(entry.hash).Run());
  next = {head.count + 1, std::move(entry.hash)};
  return {};
}

Result<RunState> SqliteTransaction::StateOf(const RunRow& row) {
  Statement find = WRIT_TRY(
      "read run", connection_.Prepare(
                      "SELECT count(*) FILTER (WHERE kind = 'contract'), count(*) FILTER (WHERE kind = 'receipt') "
                      "FROM documents WHERE run = ?"));
  const bool counted = WRIT_TRY("read run", find.Bind(row.number).Step());
  if (!counted) return Fail(Code::kInternal, "read run: no count");
  return RunState{row.status, find.Number(0) != 0, find.Number(1) != 0, row.head, row.event_count};
}

Result<> SqliteTransaction::UpdateStatus(std::int64_t run, RunStatus status, WallTime now) {
  Statement update = WRIT_TRY(
      "set status", connection_.Prepare(
                        "UPDATE runs SET status = ?, updated = ?, unfinished = unfinished AND ? WHERE number = ?"));
  update.Bind(RunStatusName(status)).Bind(now).Bind(std::int64_t{IsTerminal(status) ? 0 : 1});
  return update.Bind(run).Run();
}

Result<> SqliteTransaction::AddDocument(std::int64_t run, std::string_view kind, std::string_view text) {
  Statement insert =
      WRIT_TRY("store text", connection_.Prepare("INSERT INTO documents(run, kind, text) VALUES(?, ?, ?)"));
  return insert.Bind(run).Bind(kind).Bind(text).Run();
}

Result<RunRow> FindRun(Connection& connection, std::string_view id) {
  Statement find = WRIT_TRY(
      "read run",
      connection.Prepare(
          "SELECT number, status, created, updated, summary, head, events, last_ts FROM runs WHERE id = ?"));
  const bool row = WRIT_TRY("read run", find.Bind(id).Step());
  if (!row) return NoSuchRun(id);
  const auto status = RunStatusFromName(find.Text(1));
  if (!status) {
    return Fail(Code::kCorrupt, "{}: run {} has the unknown status \"{}\"", connection.path(), id, find.Text(1));
  }
  return RunRow{find.Number(0), *status, find.Time(2), find.Time(3), find.Text(4), find.Text(5), find.Count(6),
                find.Text(7)};
}

Result<std::optional<std::string>> FindDocument(Connection& connection, std::int64_t run, std::string_view kind) {
  Statement find = WRIT_TRY("read text", connection.Prepare("SELECT text FROM documents WHERE run = ? AND kind = ?"));
  const bool row = WRIT_TRY("read text", find.Bind(run).Bind(kind).Step());
  if (!row) return std::nullopt;
  return find.Text(0);
}

Result<DecisionHead> FindDecisionHead(Connection& connection, std::string_view genesis) {
  Statement find =
      WRIT_TRY("read decision log", connection.Prepare("SELECT genesis, entries, hash FROM decision_head"));
  const bool row = WRIT_TRY("read decision log", find.Step());
  if (!row) return DecisionHead{0, std::string(genesis)};
  if (find.Text(0) != genesis) {
    return Fail(Code::kInvalid, "the decision log of {} was begun under another plane key", connection.path());
  }
  return DecisionHead{find.Count(1), find.Text(2)};
}

}  // namespace writ::storage

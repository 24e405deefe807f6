#include "storage/sqlite/transaction.h"

#include "storage/decision_log.h"
#include "storage/rules.h"

namespace writ::storage {
namespace {

/// Pages in the log after which a long-lived process moves them into the database between two commits.
constexpr int kCheckpointPages = 2000;

class SqliteTransaction final : public Transaction {
 public:
  SqliteTransaction(Connection& connection, bool& open) : connection_(connection), open_(open) { open_ = true; }
  ~SqliteTransaction() override {
    // Nothing to report to: a rollback that fails is made up for by whoever opens the database next.
    if (connection_.in_transaction()) static_cast<void>(connection_.Execute("ROLLBACK"));
    open_ = false;
  }

  Result<> CreateRun(const NewRun& run) override {
    WRIT_TRY("create run", CheckNewRun(run));
    return Guard([&]() -> Result<> {
      Statement insert = WRIT_TRY(
          "create run",
          connection_.Prepare("INSERT INTO runs(id, status, created, updated, summary, head, events, unfinished) "
                              "VALUES(?, ?, ?, ?, ?, '', 0, 0) ON CONFLICT(id) DO NOTHING"));
      insert.Bind(run.id).Bind(RunStatusName(run.status)).Bind(run.created).Bind(run.created).Bind(run.summary);
      WRIT_TRY("create run", insert.Run());
      if (connection_.changes() == 0) return RunExists(run.id);
      return {};
    });
  }

  Result<> SetContract(std::string_view id, std::string_view text, std::string_view contract_hash) override {
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

  Result<> AppendEvent(std::string_view id, const NewEvent& event) override {
    return Guard([&]() -> Result<> {
      const RunRow row = WRIT_TRY("append event", FindRun(connection_, id));
      // The head is empty until there is a contract, and a receipt ends the run: no need to look for either.
      WRIT_TRY("append event",
               CheckEvent(id, {row.status, !row.head.empty(), false, row.head, row.event_count}, event));
      Statement insert =
          WRIT_TRY("append event", connection_.Prepare("INSERT INTO events(run, seq, text) VALUES(?, ?, ?)"));
      WRIT_TRY("append event", insert.Bind(row.number).Bind(event.seq).Bind(event.text).Run());
      Statement update =
          WRIT_TRY("append event", connection_.Prepare("UPDATE runs SET head = ?, events = ? WHERE number = ?"));
      return update.Bind(event.hash).Bind(event.seq + 1).Bind(row.number).Run();
    });
  }

  Result<> SetReceipt(std::string_view id, std::string_view text, std::string_view events_head, RunStatus status,
                      WallTime now) override {
    return Guard([&]() -> Result<> {
      const RunRow row = WRIT_TRY("store receipt", FindRun(connection_, id));
      const RunState state = WRIT_TRY("store receipt", StateOf(row));
      WRIT_TRY("store receipt", CheckReceipt(id, state, events_head, status));
      WRIT_TRY("store receipt", AddDocument(row.number, kReceiptDocument, text));
      Statement update =
          WRIT_TRY("store receipt",
                   connection_.Prepare("UPDATE runs SET status = ?, updated = ?, unfinished = 0 WHERE number = ?"));
      return update.Bind(RunStatusName(status)).Bind(now).Bind(row.number).Run();
    });
  }

  Result<> SetStatus(std::string_view id, RunStatus status, WallTime now) override {
    return Guard([&]() -> Result<> {
      const RunRow row = WRIT_TRY("set status", FindRun(connection_, id));
      WRIT_TRY("set status", CheckStatus(id, {row.status, false, false, {}, 0}));
      Statement update = WRIT_TRY(
          "set status", connection_.Prepare(
                            "UPDATE runs SET status = ?, updated = ?, unfinished = unfinished AND ? WHERE number = ?"));
      update.Bind(RunStatusName(status)).Bind(now).Bind(std::int64_t{IsTerminal(status) ? 0 : 1});
      return update.Bind(row.number).Run();
    });
  }

  Result<> SetSummary(std::string_view id, std::string_view summary) override {
    return Guard([&]() -> Result<> {
      Statement update = WRIT_TRY("set summary", connection_.Prepare("UPDATE runs SET summary = ? WHERE id = ?"));
      WRIT_TRY("set summary", update.Bind(summary).Bind(id).Run());
      if (connection_.changes() == 0) return NoSuchRun(id);
      return {};
    });
  }

  Result<> AddArtifact(std::string_view id, const Artifact& artifact) override {
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

  Result<> DeleteRun(std::string_view id) override {
    return Guard([&]() -> Result<> {
      Statement remove = WRIT_TRY("delete run", connection_.Prepare("DELETE FROM runs WHERE id = ?"));
      WRIT_TRY("delete run", remove.Bind(id).Run());
      if (connection_.changes() == 0) return NoSuchRun(id);
      return {};
    });
  }

  Result<DecisionHead> AppendDecision(std::string_view genesis, const NewDecision& decision) override {
    WRIT_TRY("log decision", CheckDecision(genesis, decision));
    DecisionHead next;
    auto done = Guard([&] { return StoreDecision(genesis, decision, next); });
    if (!done) return std::unexpected(std::move(done).error());
    return next;
  }

  Result<> PutValue(std::string_view key, std::string_view value) override {
    return Guard([&]() -> Result<> {
      Statement put =
          WRIT_TRY("store value", connection_.Prepare("INSERT INTO stored_values(key, value) VALUES(?, ?) ON "
                                                      "CONFLICT(key) DO UPDATE SET value = excluded.value"));
      return put.Bind(key).Bind(value).Run();
    });
  }

  Result<> Commit(Durability durability) override {
    WRIT_TRY("commit", Guard([&] { return connection_.Execute("COMMIT"); }));
    finished_ = true;
    if (durability == Durability::kDurable) WRIT_TRY("commit", connection_.SyncLog());
    connection_.Checkpoint(kCheckpointPages);
    return {};
  }

 private:
  /// Runs one change. SQLite undoes a whole transaction by itself on some errors (a full disk, say); what came after
  /// would then be stored on its own, so after any error of the database nothing more is done.
  template <class Change>
  Result<> Guard(Change change) {
    if (finished_) return Fail(Code::kInternal, "this transaction has ended");
    if (broken_) return std::unexpected(*broken_);
    Result<> done = change();
    if (!done && done.error().code != Code::kInvalid && done.error().code != Code::kNotFound) broken_ = done.error();
    if (!done && !connection_.in_transaction()) broken_ = done.error();
    return done;
  }

  Result<> StoreDecision(std::string_view genesis, const NewDecision& decision, DecisionHead& next) {
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

  Result<RunState> StateOf(const RunRow& row) {
    Statement find = WRIT_TRY(
        "read run", connection_.Prepare(
                        "SELECT count(*) FILTER (WHERE kind = 'contract'), count(*) FILTER (WHERE kind = 'receipt') "
                        "FROM documents WHERE run = ?"));
    const bool counted = WRIT_TRY("read run", find.Bind(row.number).Step());
    if (!counted) return Fail(Code::kInternal, "read run: no count");
    return RunState{row.status, find.Number(0) != 0, find.Number(1) != 0, row.head, row.event_count};
  }

  Result<> AddDocument(std::int64_t run, std::string_view kind, std::string_view text) {
    Statement insert =
        WRIT_TRY("store text", connection_.Prepare("INSERT INTO documents(run, kind, text) VALUES(?, ?, ?)"));
    return insert.Bind(run).Bind(kind).Bind(text).Run();
  }

  Connection& connection_;
  bool& open_;
  bool finished_ = false;
  std::optional<Error> broken_;
};

}  // namespace

Result<RunRow> FindRun(Connection& connection, std::string_view id) {
  Statement find = WRIT_TRY(
      "read run",
      connection.Prepare("SELECT number, status, created, updated, summary, head, events FROM runs WHERE id = ?"));
  const bool row = WRIT_TRY("read run", find.Bind(id).Step());
  if (!row) return NoSuchRun(id);
  const auto status = RunStatusFromName(find.Text(1));
  if (!status) {
    return Fail(Code::kCorrupt, "{}: run {} has the unknown status \"{}\"", connection.path(), id, find.Text(1));
  }
  return RunRow{find.Number(0), *status, find.Time(2), find.Time(3), find.Text(4), find.Text(5), find.Count(6)};
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

Result<std::unique_ptr<Transaction>> BeginTransaction(Connection& connection, bool& open) {
  WRIT_TRY("begin", connection.Execute("BEGIN IMMEDIATE"));
  return std::make_unique<SqliteTransaction>(connection, open);
}

}  // namespace writ::storage

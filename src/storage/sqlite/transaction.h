#pragma once

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "storage/rules.h"
#include "storage/sqlite/connection.h"
#include "storage/store.h"

namespace writ::storage {

/// A row of the run table by its id. Errors: kNotFound; kCorrupt when the row says something impossible.
struct RunRow {
  std::int64_t number = 0;
  RunStatus status = RunStatus::kCreated;
  WallTime created{}, updated{};
  std::string summary, head;
  std::uint64_t event_count = 0;
  std::string last_ts;  ///< newest `ts` of its events
};
Result<RunRow> FindRun(Connection& connection, std::string_view id);
/// A text of a run: the contract, the receipt, or what PutDocument stored.
Result<std::optional<std::string>> FindDocument(Connection& connection, std::int64_t run, std::string_view kind);
/// Key of an event: ordered by run number and then seq, which both have 32 bits (CheckEvents, kRunNumberMax). The first
/// event of the next run is the end of a run's.
constexpr std::int64_t EventPlace(std::int64_t run, std::uint64_t seq) {
  return run * (std::int64_t{1} << 32) + static_cast<std::int64_t>(std::min<std::uint64_t>(seq, UINT32_MAX));
}
constexpr std::uint64_t SeqOfPlace(std::int64_t place) { return static_cast<std::uint64_t>(place) & UINT32_MAX; }
inline constexpr std::int64_t kRunNumberMax = INT32_MAX - 1;

inline constexpr std::string_view kContractDocument = "contract", kReceiptDocument = "receipt";

Result<std::optional<Lease>> FindLease(Connection& connection, std::int64_t run);
Result<DecisionHead> FindDecisionHead(Connection& connection, std::string_view genesis);

/// Begun by BEGIN IMMEDIATE. transaction.cc has what every run needs, plane_writes.cc what a plane adds.
class SqliteTransaction final : public Transaction {
 public:
  /// Both are borrowed; `open` is true while the transaction lives.
  static Result<std::unique_ptr<Transaction>> Begin(Connection& connection, bool& open);
  ~SqliteTransaction() override;

  Result<> CreateRun(const NewRun& run) override;
  Result<> SetContract(std::string_view id, std::string_view text, std::string_view contract_hash) override;
  Result<> AppendEvent(std::string_view id, const NewEvent& event) override;
  Result<> SetReceipt(std::string_view id, std::string_view text, std::string_view events_head, RunStatus status,
                      WallTime now) override;
  Result<> SetStatus(std::string_view id, RunStatus status, WallTime now) override;
  Result<> SetSummary(std::string_view id, std::string_view summary) override;
  Result<> AddArtifact(std::string_view id, const Artifact& artifact) override;
  Result<> DeleteRun(std::string_view id) override;
  Result<DecisionHead> AppendDecision(std::string_view genesis, const NewDecision& decision) override;
  Result<> PutValue(std::string_view key, std::string_view value) override;
  Result<> Commit(Durability durability) override;

  Result<> Within(const std::function<Result<bool>()>& change) override;
  Result<> AppendEvents(std::string_view id, std::span<const NewEvent> events) override;
  Result<> PutDocument(std::string_view id, std::string_view kind, std::string_view text) override;
  Result<> Enqueue(std::string_view id, const QueueEntry& entry) override;
  Result<> Claim(std::string_view id, const Lease& lease, WallTime now) override;
  Result<> RenewLease(std::string_view id, std::string_view claim_id, WallTime until) override;
  Result<> Requeue(std::string_view id, WallTime now) override;
  Result<> AddPrincipal(const Principal& principal) override;
  Result<> ReplacePrincipalToken(std::string_view name, std::string_view token_hash) override;
  Result<> RevokePrincipal(std::string_view name) override;
  Result<> AddEnrollToken(std::string_view token_hash, WallTime expires) override;
  Result<bool> ConsumeEnrollToken(std::string_view token_hash, WallTime now) override;
  Result<> AddRunner(const Runner& runner) override;
  Result<bool> SpendNonce(std::string_view nonce, WallTime expires) override;
  Result<> AddApproval(std::string_view id, const Approval& approval) override;
  Result<> PutIdempotent(std::string_view scope, std::string_view key, const Idempotent& answer) override;
  Result<> ForgetExpired(WallTime now) override;

 private:
  SqliteTransaction(Connection& connection, bool& open) : connection_(connection), open_(open) { open_ = true; }

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
  /// The same for one statement.
  Result<> Execute(const char* sql);

  Result<> StoreDecision(std::string_view genesis, const NewDecision& decision, DecisionHead& next);
  Result<RunState> StateOf(const RunRow& row);
  Result<> AddDocument(std::int64_t run, std::string_view kind, std::string_view text);
  Result<> StoreEvents(std::string_view id, std::span<const NewEvent> events);
  /// A run that has ended neither waits nor is held.
  Result<> LeaveQueue(std::int64_t run);
  Result<> UpdateStatus(std::int64_t run, RunStatus status, WallTime now);

  Connection& connection_;
  bool& open_;
  bool finished_ = false;
  std::optional<Error> broken_;
};

}  // namespace writ::storage

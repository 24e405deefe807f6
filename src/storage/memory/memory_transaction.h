#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/plane_rules.h"
#include "storage/store.h"

// Only for the files of this folder.
namespace writ::storage {

struct RunData {
  Run run;
  std::vector<std::string> events;
  std::vector<Artifact> artifacts;
  std::string last_ts;
  std::map<std::string, std::string, std::less<>> documents;
  std::optional<QueueEntry> queued;  ///< kept while the run is claimed
  QueuePlace place;
  std::optional<Lease> lease;
  std::vector<Approval> approvals;

  RunState State() const {
    return {run.status, run.contract.has_value(), run.receipt.has_value(), run.head, run.event_count};
  }
  std::optional<QueuePlace> Place() const { return queued ? std::optional(place) : std::nullopt; }
  void End() {
    queued.reset();
    lease.reset();
  }
};

template <class Value>
using Table = std::map<std::string, Value, std::less<>>;

struct Data {
  Table<RunData> runs;
  std::uint64_t last_number = 0;
  std::vector<Decision> decisions;
  std::string genesis;
  Table<std::string> values;
  std::vector<Principal> principals;
  std::vector<Runner> runners;
  Table<WallTime> enroll_tokens, nonces;  ///< to when they expire
  std::map<std::pair<std::string, std::string>, Idempotent> idempotent;
};

/// Changes `data` at once and remembers how to undo that.
class MemoryTransaction final : public Transaction {
 public:
  /// Both are borrowed; `open` is true while the transaction lives.
  MemoryTransaction(Data& data, bool& open) : data_(data), open_(open) { open_ = true; }
  ~MemoryTransaction() override {
    UndoTo(0);
    open_ = false;
  }

  Result<> CreateRun(const NewRun& run) override;
  Result<> SetContract(std::string_view id, std::string_view text, std::string_view contract_hash) override;
  Result<> AppendEvent(std::string_view id, const NewEvent& event) override { return AppendEvents(id, {&event, 1}); }
  Result<> SetReceipt(std::string_view id, std::string_view text, std::string_view events_head, RunStatus status,
                      WallTime now) override;
  Result<> SetStatus(std::string_view id, RunStatus status, WallTime now) override;
  Result<> SetSummary(std::string_view id, std::string_view summary) override;
  Result<> AddArtifact(std::string_view id, const Artifact& artifact) override;
  Result<> DeleteRun(std::string_view id) override;
  Result<DecisionHead> AppendDecision(std::string_view genesis, const NewDecision& decision) override;
  Result<> PutValue(std::string_view key, std::string_view value) override;
  Result<> Commit(Durability) override {
    undo_.clear();
    return {};
  }

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
  /// A run that is about to change; all of it but its events is kept for undoing.
  Result<RunData*> Change(std::string_view id);
  /// The same for a whole table.
  template <class Rows>
  Rows& Change(Rows Data::* rows) {
    undo_.push_back([this, rows, before = data_.*rows] { data_.*rows = before; });
    return data_.*rows;
  }
  void UndoTo(std::size_t mark) {
    for (; undo_.size() > mark; undo_.pop_back()) undo_.back()();
  }

  Data& data_;
  bool& open_;
  std::vector<std::function<void()>> undo_;
};

}  // namespace writ::storage

#pragma once

#include <memory>
#include <utility>

#include "storage/store.h"

namespace writ::api {

/// Counts changes to a store and fails from the n-th on, as a disk does that fills up. Shared by all transactions.
struct FailurePlan {
  int fail_from = -1;  ///< index of the first change that fails; -1: none
  int changes = 0;
  Result<> Next() {
    const int index = changes++;
    if (fail_from >= 0 && index >= fail_from) return Fail(Code::kExhausted, "no space left on device (change {})", index);
    return {};
  }
};

class FailingTransaction final : public storage::Transaction {
 public:
  FailingTransaction(std::unique_ptr<storage::Transaction> inner, FailurePlan& plan)
      : inner_(std::move(inner)), plan_(plan) {}
  Result<> CreateRun(const storage::NewRun& run) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->CreateRun(run);
  }
  Result<> SetContract(std::string_view id, std::string_view text, std::string_view hash) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->SetContract(id, text, hash);
  }
  Result<> AppendEvent(std::string_view id, const storage::NewEvent& event) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AppendEvent(id, event);
  }
  Result<> SetReceipt(std::string_view id, std::string_view text, std::string_view head, storage::RunStatus status,
                      WallTime now) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->SetReceipt(id, text, head, status, now);
  }
  Result<> SetStatus(std::string_view id, storage::RunStatus status, WallTime now) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->SetStatus(id, status, now);
  }
  Result<> SetSummary(std::string_view id, std::string_view summary) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->SetSummary(id, summary);
  }
  Result<> AddArtifact(std::string_view id, const storage::Artifact& artifact) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AddArtifact(id, artifact);
  }
  Result<> DeleteRun(std::string_view id) override { return inner_->DeleteRun(id); }
  Result<storage::DecisionHead> AppendDecision(std::string_view genesis, const storage::NewDecision& entry) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AppendDecision(genesis, entry);
  }
  Result<> PutValue(std::string_view key, std::string_view value) override { return inner_->PutValue(key, value); }
  Result<> Commit(storage::Durability durability) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->Commit(durability);
  }

 private:
  std::unique_ptr<storage::Transaction> inner_;
  FailurePlan& plan_;
};

class FailingStore final : public storage::Store {
 public:
  FailingStore(std::unique_ptr<storage::Store> inner, FailurePlan& plan) : inner_(std::move(inner)), plan_(plan) {}
  Result<std::unique_ptr<storage::Transaction>> Begin() override {
    auto transaction = WRIT_TRY("begin", inner_->Begin());
    return std::make_unique<FailingTransaction>(std::move(transaction), plan_);
  }
  Result<storage::Run> GetRun(std::string_view id) override { return inner_->GetRun(id); }
  Result<std::string> ResolveRun(std::string_view prefix) override { return inner_->ResolveRun(prefix); }
  Result<std::vector<storage::Run>> ListRuns(std::size_t limit, std::optional<std::uint64_t> before) override {
    return inner_->ListRuns(limit, before);
  }
  Result<std::vector<std::string>> Events(std::string_view id, std::uint64_t from, std::size_t limit) override {
    return inner_->Events(id, from, limit);
  }
  Result<std::vector<storage::Artifact>> Artifacts(std::string_view id) override { return inner_->Artifacts(id); }
  Result<std::vector<std::string>> Unfinished() override { return inner_->Unfinished(); }
  Result<std::vector<std::string>> GcCandidates(WallTime older_than, std::size_t keep_last) override {
    return inner_->GcCandidates(older_than, keep_last);
  }
  Result<bool> BlobInUse(std::string_view hash) override { return inner_->BlobInUse(hash); }
  Result<storage::DecisionHead> GetDecisionHead(std::string_view genesis) override {
    return inner_->GetDecisionHead(genesis);
  }
  Result<std::vector<storage::Decision>> Decisions(std::uint64_t from, std::size_t limit) override {
    return inner_->Decisions(from, limit);
  }
  Result<std::optional<std::string>> GetValue(std::string_view key) override { return inner_->GetValue(key); }

 private:
  std::unique_ptr<storage::Store> inner_;
  FailurePlan& plan_;
};

}  // namespace writ::api

#pragma once

#include <memory>
#include <utility>

#include "storage/store.h"

namespace writ::api {

/// Counts changes to a store and fails from the n-th on, as a disk does that fills up. Shared by all transactions.
struct FailurePlan {
  int fail_from = -1;  ///< index of the first change that fails; -1: none
  int changes = 0;
  bool fail_sync = false;  ///< the next commit is stored, but the disk does not keep it
  bool sync_failed = false;  ///< from then on nothing is begun
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
  Result<> Within(const std::function<Result<bool>()>& change) override { return inner_->Within(change); }
  Result<> AppendEvents(std::string_view id, std::span<const storage::NewEvent> events) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AppendEvents(id, events);
  }
  Result<> PutDocument(std::string_view id, std::string_view kind, std::string_view text) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->PutDocument(id, kind, text);
  }
  Result<> Enqueue(std::string_view id, const storage::QueueEntry& entry) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->Enqueue(id, entry);
  }
  Result<> Claim(std::string_view id, const storage::Lease& lease, WallTime now) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->Claim(id, lease, now);
  }
  Result<> RenewLease(std::string_view id, std::string_view claim_id, WallTime until) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->RenewLease(id, claim_id, until);
  }
  Result<> Requeue(std::string_view id, WallTime now) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->Requeue(id, now);
  }
  Result<> AddPrincipal(const storage::Principal& principal) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AddPrincipal(principal);
  }
  Result<> ReplacePrincipalToken(std::string_view name, std::string_view token_hash) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->ReplacePrincipalToken(name, token_hash);
  }
  Result<> RevokePrincipal(std::string_view name) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->RevokePrincipal(name);
  }
  Result<> AddEnrollToken(std::string_view token_hash, WallTime expires) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AddEnrollToken(token_hash, expires);
  }
  Result<bool> ConsumeEnrollToken(std::string_view token_hash, WallTime now) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->ConsumeEnrollToken(token_hash, now);
  }
  Result<> AddRunner(const storage::Runner& runner) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AddRunner(runner);
  }
  Result<bool> SpendNonce(std::string_view nonce, WallTime expires) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->SpendNonce(nonce, expires);
  }
  Result<> AddApproval(std::string_view id, const storage::Approval& approval) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->AddApproval(id, approval);
  }
  Result<> PutIdempotent(std::string_view scope, std::string_view key, const storage::Idempotent& answer) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->PutIdempotent(scope, key, answer);
  }
  Result<> ForgetExpired(WallTime now) override {
    WRIT_TRY("fail", plan_.Next());
    return inner_->ForgetExpired(now);
  }
  Result<> Commit(storage::Durability durability) override {
    WRIT_TRY("fail", plan_.Next());
    auto done = inner_->Commit(durability);
    if (done && plan_.fail_sync) plan_.sync_failed = true;
    if (plan_.sync_failed) return Fail(Code::kCorrupt, "the disk has not kept what was written");
    return done;
  }

 private:
  std::unique_ptr<storage::Transaction> inner_;
  FailurePlan& plan_;
};

class FailingStore final : public storage::Store {
 public:
  FailingStore(std::unique_ptr<storage::Store> inner, FailurePlan& plan) : inner_(std::move(inner)), plan_(plan) {}
  Result<std::unique_ptr<storage::Transaction>> Begin() override {
    if (plan_.sync_failed) return Fail(Code::kCorrupt, "the disk has not kept what was written before");
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
  bool Tidy() override { return inner_->Tidy(); }
  Result<std::optional<std::string>> GetDocument(std::string_view id, std::string_view kind) override {
    return inner_->GetDocument(id, kind);
  }
  Result<std::vector<storage::QueuedRun>> Queued(std::string_view pool, std::size_t limit,
                                                 std::uint64_t after_number) override {
    return inner_->Queued(pool, limit, after_number);
  }
  Result<std::vector<storage::QueuedRun>> ExpiredQueue(WallTime now, std::size_t limit) override {
    return inner_->ExpiredQueue(now, limit);
  }
  Result<std::optional<WallTime>> NextQueueEnd() override { return inner_->NextQueueEnd(); }
  Result<std::optional<storage::Lease>> GetLease(std::string_view id) override { return inner_->GetLease(id); }
  Result<std::vector<storage::LeasedRun>> ExpiredLeases(WallTime now, std::size_t limit) override {
    return inner_->ExpiredLeases(now, limit);
  }
  Result<std::optional<WallTime>> NextLeaseEnd() override { return inner_->NextLeaseEnd(); }
  Result<std::optional<storage::Principal>> FindPrincipalByToken(std::string_view token_hash) override {
    return inner_->FindPrincipalByToken(token_hash);
  }
  Result<std::optional<storage::Principal>> FindPrincipal(std::string_view name) override {
    return inner_->FindPrincipal(name);
  }
  Result<std::vector<storage::Principal>> Principals() override { return inner_->Principals(); }
  Result<std::optional<storage::Runner>> FindRunnerByToken(std::string_view token_hash) override {
    return inner_->FindRunnerByToken(token_hash);
  }
  Result<std::optional<storage::Runner>> FindRunner(std::string_view id) override { return inner_->FindRunner(id); }
  Result<std::vector<storage::Runner>> Runners() override { return inner_->Runners(); }
  Result<std::vector<storage::Approval>> Approvals(std::string_view id) override { return inner_->Approvals(id); }
  Result<std::optional<storage::Idempotent>> GetIdempotent(std::string_view scope, std::string_view key) override {
    return inner_->GetIdempotent(scope, key);
  }
  Result<std::vector<storage::Run>> RunsWithStatus(storage::RunStatus status, std::size_t limit,
                                                   std::optional<std::uint64_t> before) override {
    return inner_->RunsWithStatus(status, limit, before);
  }
  Result<std::vector<std::string>> Retirable(WallTime older_than, std::size_t limit) override {
    return inner_->Retirable(older_than, limit);
  }
  Result<storage::EventPage> EventsAfter(std::string_view since, const storage::EventCursor& from,
                                         std::size_t limit) override {
    return inner_->EventsAfter(since, from, limit);
  }

 private:
  std::unique_ptr<storage::Store> inner_;
  FailurePlan& plan_;
};

}  // namespace writ::api

#pragma once

#include <memory>

#include "storage/memory/memory_transaction.h"
#include "storage/store.h"

// Only for the files of this folder.
namespace writ::storage {

/// memory_store.cc has what every run needs, memory_plane_reads.cc what a plane adds.
class MemoryStore final : public Store {
 public:
  Result<std::unique_ptr<Transaction>> Begin() override;
  Result<Run> GetRun(std::string_view id) override;
  Result<std::string> ResolveRun(std::string_view prefix) override;
  Result<std::vector<Run>> ListRuns(std::size_t limit, std::optional<std::uint64_t> before) override;
  Result<std::vector<std::string>> Events(std::string_view id, std::uint64_t from_seq, std::size_t limit) override;
  Result<std::vector<Artifact>> Artifacts(std::string_view id) override;
  Result<std::vector<std::string>> Unfinished() override;
  Result<std::vector<std::string>> GcCandidates(WallTime older_than, std::size_t keep_last) override;
  Result<bool> BlobInUse(std::string_view hash) override;
  Result<DecisionHead> GetDecisionHead(std::string_view genesis) override;
  Result<std::vector<Decision>> Decisions(std::uint64_t from_seq, std::size_t limit) override;
  Result<std::optional<std::string>> GetValue(std::string_view key) override;
  bool Tidy() override { return false; }

  Result<std::optional<std::string>> GetDocument(std::string_view id, std::string_view kind) override;
  Result<std::vector<QueuedRun>> Queued(std::string_view pool, std::size_t limit, std::uint64_t after_number) override;
  Result<std::vector<QueuedRun>> ExpiredQueue(WallTime now, std::size_t limit) override;
  Result<std::optional<WallTime>> NextQueueEnd() override;
  Result<std::optional<Lease>> GetLease(std::string_view id) override;
  Result<std::vector<LeasedRun>> ExpiredLeases(WallTime now, std::size_t limit) override;
  Result<std::optional<WallTime>> NextLeaseEnd() override;
  Result<std::optional<Principal>> FindPrincipalByToken(std::string_view token_hash) override;
  Result<std::optional<Principal>> FindPrincipal(std::string_view name) override;
  Result<std::vector<Principal>> Principals() override;
  Result<std::optional<Runner>> FindRunnerByToken(std::string_view token_hash) override;
  Result<std::optional<Runner>> FindRunner(std::string_view id) override;
  Result<std::vector<Runner>> Runners() override;
  Result<std::vector<Approval>> Approvals(std::string_view id) override;
  Result<std::optional<Idempotent>> GetIdempotent(std::string_view scope, std::string_view key) override;
  Result<std::vector<Run>> RunsWithStatus(RunStatus status, std::size_t limit,
                                          std::optional<std::uint64_t> before) override;
  Result<std::vector<std::string>> Retirable(WallTime older_than, std::size_t limit) override;
  Result<EventPage> EventsAfter(std::string_view since, const EventCursor& from, std::size_t limit) override;

 private:
  std::vector<const RunData*> ByNumber() const;

  Data data_;
  bool open_ = false;
};

}  // namespace writ::storage

#pragma once

#include <algorithm>
#include <memory>

#include "storage/sqlite/connection.h"
#include "storage/store.h"

namespace writ::storage {

/// Counts of callers, which may be SIZE_MAX, as SQLite's signed numbers.
inline std::int64_t Clamp(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

/// Rows of `id, status, number, created, updated, summary, head, events`. Errors: kCorrupt for an unknown status.
Result<std::vector<Run>> ReadRuns(Connection& connection, Statement list);

/// sqlite_store.cc has what every run needs, plane_reads.cc what a plane adds.
class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<Connection> connection, bool read_only, int checkpoint_pages)
      : connection_(std::move(connection)), read_only_(read_only), checkpoint_pages_(checkpoint_pages) {}
  ~SqliteStore() override { connection_->Checkpoint(checkpoint_pages_); }

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
  bool Tidy() override;

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
  std::unique_ptr<Connection> connection_;
  bool read_only_;
  int checkpoint_pages_;
  bool open_ = false;
};

}  // namespace writ::storage

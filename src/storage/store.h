#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "storage/plane_tables.h"
#include "storage/run_row.h"

namespace writ::storage {

/// What is on disk when a commit returns.
enum class Durability : std::uint8_t {
  kBuffered,  ///< other processes see it; a power cut may lose it, in order, from the end
  kDurable    ///< it and everything committed before it survive a power cut
};

/// What the decision log keeps of one decision (docs/formats/store.md).
enum class DecisionKind : std::uint8_t { kAllow, kDeny, kAsk, kApproval, kRefusal };
std::string_view DecisionKindName(DecisionKind kind);  ///< "allow", "deny", "ask", "approval", "refusal"
std::optional<DecisionKind> DecisionKindFromName(std::string_view name);

struct NewDecision {
  DecisionKind kind = DecisionKind::kDeny;
  WallTime at{};
  std::string run_id{};       ///< may be empty
  std::string digest{};       ///< of what was judged: the unsigned contract or the request; 64 hex characters
  std::string policy_hash{};  ///< 64 hex characters, or empty when no policy could be read
  std::string reason{};
  canon::Json detail{};  ///< further members, an object; null for none
};
struct DecisionHead {
  std::uint64_t count = 0;  ///< entries in the log
  std::string hash{};       ///< of the last entry; the genesis when there is none
};
struct Decision {
  std::uint64_t seq = 0;
  DecisionKind kind = DecisionKind::kDeny;
  std::string run_id{}, hash{};
  std::string text{};  ///< the whole entry, docs/formats/store.md
};

/// A group of changes that is stored as one or not at all. Destroying it without Commit undoes it. It holds the
/// store's write lock (across processes), so keep it short. Borrowed from its Store.
class Transaction : public PlaneWrites {
 public:
  /// Errors: kInvalid for a malformed id or one that exists.
  virtual Result<> CreateRun(const NewRun& run) = 0;
  /// Stores the contract and starts the chain at its hash. Errors: kInvalid if the run has a contract.
  virtual Result<> SetContract(std::string_view id, std::string_view text, std::string_view contract_hash) = 0;
  /// O(1). Errors: kInvalid when seq or prev do not continue the chain (nothing is stored), when the run has no
  /// contract yet, or when it has ended.
  virtual Result<> AppendEvent(std::string_view id, const NewEvent& event) = 0;
  /// Stores the receipt and ends the run; `events_head` must be the chain's head and `status` terminal.
  /// Errors: kInvalid otherwise, and when the run has a receipt.
  virtual Result<> SetReceipt(std::string_view id, std::string_view text, std::string_view events_head,
                              RunStatus status, WallTime now) = 0;
  /// A terminal status ends the run without a receipt. Errors: kInvalid when the run has ended.
  virtual Result<> SetStatus(std::string_view id, RunStatus status, WallTime now) = 0;
  virtual Result<> SetSummary(std::string_view id, std::string_view summary) = 0;
  virtual Result<> AddArtifact(std::string_view id, const Artifact& artifact) = 0;
  /// Removes the run with its events and artifact names; blobs stay until they are collected.
  virtual Result<> DeleteRun(std::string_view id) = 0;

  /// Appends to the decision log and returns the new head. `genesis` is the SHA-256 of the plane's public key PEM
  /// text. Errors: kInvalid when the log began with another genesis.
  virtual Result<DecisionHead> AppendDecision(std::string_view genesis, const NewDecision& decision) = 0;

  /// Small values under a name, replaced as a whole (probe report, caches).
  virtual Result<> PutValue(std::string_view key, std::string_view value) = 0;

  /// Ends the transaction. On error nothing is stored, with one exception: when the disk accepts the data but refuses
  /// to sync it (kCorrupt), it can be read and may yet be lost; this store object then begins no transaction any more.
  /// Errors: kExhausted on a full disk.
  virtual Result<> Commit(Durability durability) = 0;
};

/// Runs and decisions of one state directory. Several processes may have it open. One Store object belongs to one
/// thread at a time and has at most one Transaction. Methods that take an id report kNotFound when there is no such
/// run; damage is kCorrupt and names the file and what to do.
class Store : public PlaneReads {
 public:
  /// Waits at most the busy timeout for other processes. Errors: kUnavailable after that; kDenied on a read-only
  /// state; kInternal while another Transaction of this object is alive.
  virtual Result<std::unique_ptr<Transaction>> Begin() = 0;

  virtual Result<Run> GetRun(std::string_view id) = 0;
  /// The full id that a shortened one means; "run_" may be left out. An exact id wins.
  /// Errors: kNotFound; kInvalid when several match, listing up to eight of them.
  virtual Result<std::string> ResolveRun(std::string_view prefix) = 0;
  /// Newest first, without contract and receipt texts. `before` continues after the run with that number.
  virtual Result<std::vector<Run>> ListRuns(std::size_t limit, std::optional<std::uint64_t> before = {}) = 0;
  /// Event texts in order, from `from_seq` on.
  virtual Result<std::vector<std::string>> Events(std::string_view id, std::uint64_t from_seq = 0,
                                                  std::size_t limit = SIZE_MAX) = 0;
  virtual Result<std::vector<Artifact>> Artifacts(std::string_view id) = 0;
  /// Ids of runs that have a contract and have not ended, oldest first: live ones, and those a crash left behind.
  virtual Result<std::vector<std::string>> Unfinished() = 0;
  /// Ids of ended runs last changed before `older_than`, oldest first, never one of the newest `keep_last` runs.
  virtual Result<std::vector<std::string>> GcCandidates(WallTime older_than, std::size_t keep_last) = 0;
  /// True while a run names this blob.
  virtual Result<bool> BlobInUse(std::string_view hash) = 0;

  virtual Result<DecisionHead> GetDecisionHead(std::string_view genesis) = 0;
  virtual Result<std::vector<Decision>> Decisions(std::uint64_t from_seq, std::size_t limit) = 0;
  virtual Result<std::optional<std::string>> GetValue(std::string_view key) = 0;

  /// Moves committed changes to where they stay (for SQLite: from the log into the database), when there are enough of
  /// them. A process that lives long calls it when it has nothing else to do, so that no commit has to. Does nothing
  /// while a transaction is open, and nothing is wrong when it is never called. True when it moved something.
  virtual bool Tidy() = 0;
};

/// Walks the whole decision log: sequence, links, hashes, count, head. Errors: kCorrupt `decision log broken at seq
/// N: ...`. Returns the head, for comparison with what contracts name.
Result<DecisionHead> VerifyDecisions(Store& store, std::string_view genesis);

}  // namespace writ::storage

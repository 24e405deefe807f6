#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "storage/run_row.h"

/// What a plane remembers beside runs: who may do what, which runs wait for a runner and which runner holds them, what
/// was approved, and what must not happen twice. Tokens are never stored, only their SHA-256 (64 lower-case hex
/// characters). `Store` is the reads, `Transaction` the writes; docs/formats/store.md is the form on disk.
///
/// A read through a Store sees what its own open transaction has changed. A time in `expires` or `until` is the first
/// moment at which the thing no longer holds. Reads of one thing return nullopt when there is none; those that take a
/// run's id fail with kNotFound when there is no such run.
namespace writ::storage {

/// A run that waits for a runner of `pool`.
struct QueueEntry {
  std::string pool{};
  std::string needs = "{}";  ///< JSON text that the layer above matches with what a runner can do
  WallTime expires{};        ///< from then on nobody may claim it (the store does not look at clocks: ExpiredQueue)
};
struct QueuedRun {
  std::string id{};
  std::uint64_t number = 0;    ///< the run's; the queue is in this order
  std::uint32_t attempts = 0;  ///< how often the run was claimed before and given back by Requeue
  QueueEntry entry{};
};

/// A runner's hold on a run.
struct Lease {
  std::string runner_id{}, claim_id{};
  WallTime until{};
  std::uint32_t attempt = 1;  ///< must be QueuedRun::attempts + 1
  bool renewable = true;      ///< false: RenewLease is refused
  bool operator==(const Lease&) const = default;
};
struct LeasedRun {
  std::string id{};
  Lease lease{};
};

/// Somebody with a token.
struct Principal {
  std::string id{}, name{}, role{};
  std::string token_hash{};
  WallTime created{};
  bool revoked = false;
  bool operator==(const Principal&) const = default;
};

struct Runner {
  std::string id{}, pool{}, key_id{}, public_pem{};
  std::string token_hash{};
  WallTime enrolled{};
  std::string labels = "{}";  ///< JSON text
  bool operator==(const Runner&) const = default;
};

/// One answer to a run that waits for consent. The store keeps them in order and judges nothing.
struct Approval {
  std::string actor_kind{}, actor_id{};
  std::string digest{};       ///< of what was shown; 64 hex characters
  std::string policy_hash{};  ///< 64 hex characters
  std::string verdict{};      ///< "approve" or "deny"
  std::string reason{};
  WallTime at{}, expires{};
  bool operator==(const Approval&) const = default;
};

/// The answer that a repeated request gets again.
struct Idempotent {
  std::string body_hash{};  ///< SHA-256 of the request's body
  std::string answer{};
  WallTime expires{};
  bool operator==(const Idempotent&) const = default;
};

/// A place in all events of all runs, ordered by run id (bytewise) and then seq. It need not exist.
struct EventCursor {
  std::string run_id{};
  std::uint64_t seq = 0;
  bool operator==(const EventCursor&) const = default;
};
struct StoredEvent {
  std::string run_id{};
  std::uint64_t seq = 0;
  std::string text{};
};
struct EventPage {
  std::vector<StoredEvent> events{};   ///< may be fewer than asked for, even none, before the end
  std::optional<EventCursor> next{};   ///< where the next page begins; nullopt: that was the last one
};

class PlaneWrites {
 public:
  virtual ~PlaneWrites() = default;

  /// Runs `change`, which uses this transaction. When it returns false or an error, what it changed is undone and
  /// the transaction goes on with what was before it. May be nested. Errors: those of `change`. When the database
  /// itself failed meanwhile (a full disk, say) that error is returned, whatever `change` made of it, and the whole
  /// transaction is over: begin another.
  virtual Result<> Within(const std::function<Result<bool>()>& change) = 0;

  /// As AppendEvent for each, in order, or none of them. Errors: as AppendEvent.
  virtual Result<> AppendEvents(std::string_view id, std::span<const NewEvent> events) = 0;

  /// A text of a run under a kind ("request", "refusal", ...; [a-z0-9_.-]{1,64}), replaced as a whole; gone with the
  /// run. Errors: kInvalid for "contract" and "receipt", which have methods of their own.
  virtual Result<> PutDocument(std::string_view id, std::string_view kind, std::string_view text) = 0;

  /// Errors: kInvalid unless the run is `created`, has a contract and does not wait already.
  virtual Result<> Enqueue(std::string_view id, const QueueEntry& entry) = 0;
  /// Takes the run out of the queue; its status becomes `claimed`. Errors: kInvalid when it does not wait (another
  /// runner was faster, it was cancelled), or lease.attempt is not the next one.
  virtual Result<> Claim(std::string_view id, const Lease& lease, WallTime now) = 0;
  /// Errors: kInvalid when the run has no lease of that claim, or one that is not renewable.
  virtual Result<> RenewLease(std::string_view id, std::string_view claim_id, WallTime until) = 0;
  /// Ends the lease and puts the run back into the queue in its old place (its number); the status becomes `created`
  /// again. Errors: kInvalid when it has no lease. A run that ends (SetReceipt, SetStatus) loses lease and place.
  virtual Result<> Requeue(std::string_view id, WallTime now) = 0;

  /// Errors: kInvalid when name, id or token are taken, also by one that is revoked, or a member is malformed.
  virtual Result<> AddPrincipal(const Principal& principal) = 0;
  /// The old token ends; one that was revoked is valid again. Errors: kNotFound; kInvalid when the token is taken.
  virtual Result<> ReplacePrincipalToken(std::string_view name, std::string_view token_hash) = 0;
  /// Its token ends; the name stays taken. Again is no error. Errors: kNotFound.
  virtual Result<> RevokePrincipal(std::string_view name) = 0;

  /// Errors: kInvalid when there is such a token.
  virtual Result<> AddEnrollToken(std::string_view token_hash, WallTime expires) = 0;
  /// True once for each token that has not expired by `now`; that uses it up.
  virtual Result<bool> ConsumeEnrollToken(std::string_view token_hash, WallTime now) = 0;
  /// Errors: kInvalid when id or token are taken, or a member is malformed.
  virtual Result<> AddRunner(const Runner& runner) = 0;

  /// False when the nonce was spent before. It is remembered until ForgetExpired after `expires`.
  virtual Result<bool> SpendNonce(std::string_view nonce, WallTime expires) = 0;
  virtual Result<> AddApproval(std::string_view id, const Approval& approval) = 0;
  /// Replaced as a whole; `scope` is who asked and for what.
  virtual Result<> PutIdempotent(std::string_view scope, std::string_view key, const Idempotent& answer) = 0;
  /// Removes nonces, enrol tokens and idempotent answers that have expired by `now`.
  virtual Result<> ForgetExpired(WallTime now) = 0;
};

class PlaneReads {
 public:
  virtual ~PlaneReads() = default;

  /// "contract" and "receipt" can be read here too.
  virtual Result<std::optional<std::string>> GetDocument(std::string_view id, std::string_view kind) = 0;

  /// Waiting runs of a pool, oldest first, those with a number above `after_number`.
  virtual Result<std::vector<QueuedRun>> Queued(std::string_view pool, std::size_t limit,
                                                std::uint64_t after_number = 0) = 0;
  /// Waiting runs of all pools that have expired by `now`, in the order in which they did.
  virtual Result<std::vector<QueuedRun>> ExpiredQueue(WallTime now, std::size_t limit) = 0;
  /// When the next waiting run expires.
  virtual Result<std::optional<WallTime>> NextQueueEnd() = 0;

  virtual Result<std::optional<Lease>> GetLease(std::string_view id) = 0;
  /// Leases that have ended by `now`, in the order in which they did.
  virtual Result<std::vector<LeasedRun>> ExpiredLeases(WallTime now, std::size_t limit) = 0;
  /// When the next lease ends.
  virtual Result<std::optional<WallTime>> NextLeaseEnd() = 0;

  /// Never one that is revoked.
  virtual Result<std::optional<Principal>> FindPrincipalByToken(std::string_view token_hash) = 0;
  virtual Result<std::optional<Principal>> FindPrincipal(std::string_view name) = 0;
  virtual Result<std::vector<Principal>> Principals() = 0;  ///< in the order in which they were added
  virtual Result<std::optional<Runner>> FindRunnerByToken(std::string_view token_hash) = 0;
  virtual Result<std::optional<Runner>> FindRunner(std::string_view id) = 0;
  virtual Result<std::vector<Runner>> Runners() = 0;  ///< in the order in which they were added

  virtual Result<std::vector<Approval>> Approvals(std::string_view id) = 0;  ///< in the order in which they were added
  virtual Result<std::optional<Idempotent>> GetIdempotent(std::string_view scope, std::string_view key) = 0;

  /// Newest first, without contract and receipt texts. `before` continues after the run with that number.
  virtual Result<std::vector<Run>> RunsWithStatus(RunStatus status, std::size_t limit,
                                                  std::optional<std::uint64_t> before = {}) = 0;
  /// Ids of ended runs last changed before `older_than`, longest ago first.
  virtual Result<std::vector<std::string>> Retirable(WallTime older_than, std::size_t limit) = 0;
  /// Events whose top-level member `ts` is not below `since` (compared as bytes; an event without a `ts` has ""),
  /// from `from` on. At most `limit` events, and at most a few times that many are looked at, so that one page never
  /// takes long: go on with `next`. Runs whose newest event is older are passed over without looking at their events.
  virtual Result<EventPage> EventsAfter(std::string_view since, const EventCursor& from, std::size_t limit) = 0;
};

}  // namespace writ::storage

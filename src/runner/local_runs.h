#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "runner/claim.h"
#include "session/event_log.h"
#include "storage/run_lock.h"
#include "storage/state_dir.h"
#include "storage/store.h"

namespace writ::runner {

/// What a runner keeps of the runs it claimed, in its own directory: each chain as far as it grew, and what it takes to
/// report its end after a crash. Secret values are never in it. One process at a time; thread-safe.
class LocalRuns {
 public:
  /// Errors: kUnavailable when another runner works in this directory; those of storage/state_dir.h.
  static Result<std::unique_ptr<LocalRuns>> Open(const std::string& directory, const Clock& clock);

  /// A store for one thread at a time, given back when it goes.
  class Lease {
   public:
    Lease(LocalRuns& from, std::unique_ptr<storage::Store> store) : from_(&from), store_(std::move(store)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    storage::Store& operator*() const { return *store_; }
    storage::Store* operator->() const { return store_.get(); }

   private:
    LocalRuns* from_;
    std::unique_ptr<storage::Store> store_;
  };
  Result<Lease> Store();

  /// Remembers a claim and its chain before anything of it is acted on. Errors: kDenied when this runner ended that run
  /// already, or is still at it: such a claim is a replay.
  Result<> Record(storage::Store& store, const Claim& claim, const std::string& contract_hash);
  /// The claim token changed: it was renewed.
  Result<> Renew(storage::Store& store, const std::string& run_id, const std::string& token);
  /// Results that are to go to the plane with the receipt (Uplink::Carried), in the transaction in which the chain names them.
  Result<> KeepCarried(storage::Transaction& transaction, const std::string& run_id, const std::string& carried);
  /// The run's end is known to the plane.
  Result<> SetReceipt(storage::Store& store, const session::EventLog& log, const canon::Json& receipt);
  /// Nothing can be reported any more: forgets the run.
  Result<> Forget(storage::Store& store, const std::string& run_id);

  /// A run that a crash left without a receipt.
  struct Orphan {
    storage::Run run;
    Claim claim;  ///< contract, token and run id
    std::string contract_hash;
    std::string carried;  ///< of KeepCarried
  };
  Result<std::vector<Orphan>> Orphans(storage::Store& store);
  /// Forgets what ended long enough ago that its contract has expired too.
  Result<> Prune(storage::Store& store);

  const storage::StateDir& directory() const { return directory_; }

 private:
  LocalRuns(storage::StateDir directory, storage::RunLock lock, const Clock& clock)
      : directory_(std::move(directory)), lock_(std::move(lock)), clock_(clock) {}

  storage::StateDir directory_;
  storage::RunLock lock_;  ///< of the directory
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<storage::Store>> idle_;  ///< guarded by mutex_
};

}  // namespace writ::runner

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "crypto/ed25519.h"
#include "crypto/secret.h"
#include "plane/chain_book.h"
#include "plane/change.h"
#include "plane/leases.h"
#include "plane/lockout.h"
#include "plane/metrics.h"
#include "plane/parked_book.h"
#include "plane/rate.h"
#include "plane/run_queue.h"
#include "policy/policy.h"
#include "session/fault_point.h"
#include "storage/blob_store.h"
#include "storage/store.h"

namespace writ::plane {

struct IdentityProvider;

/// The keys of a plane, and what follows from them.
struct PlaneKeys {
  crypto::PrivateKey plane;
  crypto::PrivateKey keeper;  ///< signs the receipts of runs that have no runner (keeper.h)
  std::string plane_pem, keeper_pem;  ///< public keys as they are transmitted
  std::string decision_genesis;       ///< SHA-256 of `plane_pem`
};
PlaneKeys MakePlaneKeys(crypto::PrivateKey plane, crypto::PrivateKey keeper);
inline constexpr std::string_view kKeeperId = "rnr_keeper";

/// A secret that a plane may release.
struct ReleasableSecret {
  ReleasableSecret(crypto::SecretBytes bytes, std::string only_host = {}) : value(std::move(bytes)), host(std::move(only_host)) {}
  crypto::SecretBytes value;
  std::string host;  ///< the one host whose requests a runner's proxy puts it into, kept from the job; empty: the job's own
};
/// Empty when the plane has none of that name. Errors: kDeadline: it is being fetched, ask again in a moment; others: it
/// could not be read.
using SecretLookup = std::function<Result<std::optional<ReleasableSecret>>(std::string_view name)>;

struct Settings {
  Millis lease{30000};       ///< of runners that send heartbeats
  Millis old_lease{600000};  ///< of runners that do not: the life of a claim token
  std::map<std::string, std::string> isolation_tiers{};  ///< name of the wire -> tier
  bool retention = false;
  std::size_t waiting_per_tenant_max = 10000;  ///< runs of one principal that nobody has claimed yet
  std::size_t kinds_per_tenant_max = 256;      ///< of needs among those: each claim looks at every kind
  std::size_t parked_per_tenant_max = 1000;    ///< runs of one principal that wait for consent
  std::size_t parked_bytes_per_tenant_max = 256u << 20;  ///< of what those would run
};

/// Labelled points of a run's life on a plane (session/fault_point.h); the change they belong to is not yet durable,
/// but for kStored.
namespace fault {
inline constexpr std::string_view kContractStored = "contract-stored";
inline constexpr std::string_view kClaimed = "claimed";
inline constexpr std::string_view kEventsAppended = "events-appended";
inline constexpr std::string_view kReceiptChecked = "receipt-checked";
inline constexpr std::string_view kCountersigned = "countersigned";
inline constexpr std::string_view kStored = "stored";  ///< durable, not yet answered
inline constexpr std::string_view kAll[] = {kContractStored, kClaimed,       kEventsAppended,
                                           kReceiptChecked, kCountersigned, kStored};
}  // namespace fault

/// What every decision of a plane needs. One thread; what is borrowed outlives it.
struct Core {
  storage::Store& store;
  storage::BlobStore& blobs;
  const Clock& clock;
  const policy::Policy& policy;
  const PlaneKeys& keys;
  Settings settings;
  SecretLookup secrets;
  const IdentityProvider* idp;  ///< null: approvals by tokens of an identity provider are refused
  session::FaultHook fault;

  Metrics metrics{};
  Lockout lockout{};
  RateLimit rate{};
  bool draining = false;  ///< the plane stops: nothing is claimed any more
  RunQueue queue{};
  LeaseBook leases{};
  ParkedBook parked{};
  ChainBook chains{store};
  /// What the runners of a pool said last that they can do, by runner.
  std::map<std::string, std::map<std::string, RunnerOffer>, std::less<>> offers{};
  /// What the operator should know; escaped by who shows it.
  std::function<void(std::string_view text)> log = [](std::string_view) {};
  /// Called when a run has ended and that is durable: whoever follows it.
  std::function<void(std::string_view run_id)> ended = [](std::string_view) {};
  /// When a run that waits for its secrets is to be looked at again.
  std::optional<MonoTime> look_again{};
  /// Pools with such runs.
  std::set<std::string, std::less<>> pools_with_late_secrets{};
  /// A runner wants no runs for now: its claims that wait are to be answered.
  std::function<void(std::string_view runner_id)> waits_no_more = [](std::string_view) {};
  /// Pools in which something was queued since the waiting claims were last asked; set through QueueRun.
  std::function<void(std::string_view pool)> queued = [](std::string_view) {};
};

/// Puts a run that has its contract into the queue; runners that wait for it are asked once that is durable.
/// `tenant`: name of the principal that asked for the run. Errors: those of the store.
Result<> QueueRun(Core& core, Change& change, std::string_view run_id, const canon::Json& contract,
                  std::string_view tenant);
/// Takes a run that is being ended (cancelled, denied) out of the queue's memory; the store does it by itself.
void DropFromQueue(Core& core, Change& change, std::string_view run_id);
/// Asks the runner that holds a run to end it; its next heartbeat says so. Survives a restart.
/// Errors: kInvalid when nobody holds it.
Result<> AskToStop(Core& core, Change& change, std::string_view run_id, std::string_view reason);

/// Notes that a runner holds a run, or no longer does; comes back when the change is undone.
void HoldRun(Core& core, Change& change, std::string_view run_id, HeldRun held);
void ReleaseRun(Core& core, Change& change, std::string_view run_id);

/// Notes that a run waits for consent, or no longer does; comes back when the change is undone.
void NoteParked(Core& core, Change& change, std::string_view run_id, ParkedNote note);
void ForgetParked(Core& core, Change& change, std::string_view run_id);

/// Reads queue, leases and what waits for consent from the store, at a start. Leases begin anew.
Result<> Restore(Core& core);

}  // namespace writ::plane

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "plane/end_times.h"
#include "storage/plane_tables.h"

namespace writ::plane {

/// What a runner must be able to do for a run. Kept as JSON text in the queue (QueueEntry::needs).
struct RunNeeds {
  bool extension = false;  ///< the contract has a `writ` member, so only a runner that knows it may have it
  std::string tier = "process", weakest{};  ///< the tier it wants, and the weakest it accepts ("" the same)
  std::string agent = "command";
  std::map<std::string, std::string> labels{};
  std::string tenant{};    ///< principal that asked for the run; only for taking turns
  bool operator==(const RunNeeds&) const = default;
};
/// Read from a contract. `isolation_tiers` maps names of `contract.isolation` to tiers.
RunNeeds NeedsOf(const canon::Json& contract, std::string_view tenant,
                 const std::map<std::string, std::string>& isolation_tiers);
std::string ToText(const RunNeeds& needs);
RunNeeds NeedsFromText(std::string_view text);  ///< of ToText; members that are missing keep their defaults

/// What a runner says at a claim that it can do. Empty lists: it did not say, and gets what its operator's pool gets.
struct RunnerOffer {
  bool extension = false;         ///< it knows the `writ` member
  bool secret_hosts = false;      ///< it keeps secrets that are bound to a host from its jobs
  bool legacy_allowed = false;    ///< policy gives old runners what they will not enforce
  std::vector<std::string> tiers{}, agents{};
  std::map<std::string, std::string> labels{};
};
bool Fits(const RunNeeds& needs, const RunnerOffer& offer);
/// What the run waits for that this runner has not: "tier \"microvm\"", "label gpu=a100", ... Empty: it fits.
std::string WhatIsMissing(const RunNeeds& needs, const RunnerOffer& offer);

/// A run that waits.
struct WaitingRun {
  std::string id;
  std::uint64_t number = 0;
  std::uint32_t attempts = 0;
  std::string pool;
  RunNeeds needs;
  WallTime expires{};    ///< signed in its contract: nobody is given it from then on
  MonoTime ends_at{};    ///< when it is ended as unclaimed; does not follow jumps of the wall clock
};

/// The waiting runs of all pools, in memory. The store has the same ones; this only finds the next in constant time
/// per kind of need and tenant. Tenants take turns; of one tenant the oldest comes first, and a run that was given
/// back keeps its place.
class RunQueue {
 public:
  void Add(WaitingRun run);
  /// Takes out a run by id; nullopt when it does not wait.
  std::optional<WaitingRun> Take(std::string_view id);
  /// Takes the next run of a pool that fits and has not expired by `now`.
  std::optional<WaitingRun> TakeNext(std::string_view pool, const RunnerOffer& offer, WallTime now);
  /// Whether TakeNext would find one.
  bool HasFor(std::string_view pool, const RunnerOffer& offer, WallTime now) const;

  bool Has(std::string_view id) const { return runs_.contains(std::string(id)); }
  std::size_t size() const { return runs_.size(); }
  std::size_t CountOfTenant(std::string_view tenant) const;
  /// Kinds of need of a tenant in all pools: each claim looks at every one of them.
  std::size_t KindsOfTenant(std::string_view tenant) const;
  /// Whether a run of the tenant that `needs` names waits in the pool for just this.
  bool HasKind(std::string_view pool, const RunNeeds& needs) const;
  bool HasWaiting(std::string_view pool) const;
  /// The first moment at which a waiting run is to be ended.
  std::optional<MonoTime> NextEnd() const { return ends_.Next(); }
  std::vector<std::string> EndedBy(MonoTime now, std::size_t limit) const { return ends_.EndedBy(now, limit); }

 private:
  struct Kind {
    RunNeeds needs;                        ///< without the tenant
    std::map<std::uint64_t, std::string> waiting;  ///< number -> run id
  };
  struct Tenant {
    std::map<std::string, Kind> kinds;  ///< by the text of their needs
    std::uint64_t served = 0;           ///< turn at which it was last given a run
  };
  struct Pool {
    std::map<std::string, Tenant, std::less<>> tenants;
  };
  void Forget(const WaitingRun& run);
  /// The number of a tenant's oldest run that fits and has not expired, and its id.
  std::optional<std::pair<std::uint64_t, std::string>> OldestFor(const Tenant& tenant, const RunnerOffer& offer, WallTime now) const;

  std::map<std::string, WaitingRun> runs_;
  std::map<std::string, Pool, std::less<>> pools_;
  EndTimes<MonoTime> ends_;
  std::map<std::string, std::size_t, std::less<>> per_tenant_;
  std::uint64_t turn_ = 0;
};

}  // namespace writ::plane

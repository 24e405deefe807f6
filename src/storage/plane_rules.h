#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "storage/plane_tables.h"
#include "storage/rules.h"

/// What every implementation of PlaneWrites checks before it changes anything.
namespace writ::storage {

/// Events of one run.
inline constexpr std::uint64_t kEventsMax = UINT32_MAX;

/// All of a batch, each against the state that the one before leaves.
Result<> CheckEvents(std::string_view id, const RunState& state, std::span<const NewEvent> events);
/// The newest `ts` of a run after a batch.
std::string_view NewestTimestamp(std::string_view before, std::span<const NewEvent> events);

Result<> CheckDocument(std::string_view id, std::string_view kind);

/// A run's place in the queue, kept while the run is claimed.
struct QueuePlace {
  std::uint32_t attempts = 0;
  bool waiting = false;
};
Result<> CheckEnqueue(std::string_view id, const RunState& state, bool has_place, const QueueEntry& entry);
Result<> CheckClaim(std::string_view id, RunStatus status, std::optional<QueuePlace> place, const Lease& lease);
Result<> CheckRenew(std::string_view id, const std::optional<Lease>& lease, std::string_view claim_id);
Result<> CheckRequeue(std::string_view id, RunStatus status, bool has_lease, std::optional<QueuePlace> place);

Result<> CheckPrincipal(const Principal& principal);
Result<> CheckRunner(const Runner& runner);
Result<> CheckTokenHash(std::string_view token_hash);
Result<> CheckNonce(std::string_view nonce);
Result<> CheckApproval(std::string_view id, const Approval& approval);
Result<> CheckIdempotent(std::string_view scope, std::string_view key, const Idempotent& answer);

std::unexpected<Error> PrincipalExists(std::string_view name);
std::unexpected<Error> NoSuchPrincipal(std::string_view name);
std::unexpected<Error> TokenTaken();
std::unexpected<Error> EnrollTokenExists();
std::unexpected<Error> RunnerExists(std::string_view id);

}  // namespace writ::storage

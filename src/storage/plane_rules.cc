#include "storage/plane_rules.h"

#include <algorithm>

#include "base/escape.h"
#include "crypto/digest.h"
#include "storage/event_page.h"

namespace writ::storage {
namespace {

/// Names and ids that people or other machines chose.
constexpr std::size_t kNameBytesMax = 256;

Result<> CheckName(std::string_view what, std::string_view name) {
  if (!name.empty() && name.size() <= kNameBytesMax) return {};
  return Fail(Code::kInvalid, "{} \"{}\" must have 1 to {} bytes", what, EscapeVisible(name, 80), kNameBytesMax);
}

Result<> CheckHash(std::string_view what, std::string_view hash) {
  if (crypto::IsHash(hash)) return {};
  return Fail(Code::kInvalid, "{} is not a SHA-256", what);
}

}  // namespace

Result<> CheckEvents(std::string_view id, const RunState& state, std::span<const NewEvent> events) {
  if (events.empty()) return {};
  WRIT_TRY("append", CheckEvent(id, state, events.front()));
  if (events.size() > kEventsMax - state.event_count) return Fail(Code::kInvalid, "run {} has too many events", id);
  for (std::size_t i = 1; i < events.size(); ++i) {
    const NewEvent &before = events[i - 1], &event = events[i];
    if (event.seq == before.seq + 1 && event.prev == before.hash && crypto::IsHash(event.hash)) continue;
    RunState next = state;  // only to word the refusal
    next.head = before.hash;
    next.event_count = before.seq + 1;
    return CheckEvent(id, next, event);
  }
  return {};
}

std::string_view NewestTimestamp(std::string_view before, std::span<const NewEvent> events) {
  for (const NewEvent& event : events) before = std::max(before, EventTimestamp(event.text));
  return before;
}

Result<> CheckDocument(std::string_view id, std::string_view kind) {
  const bool good = !kind.empty() && kind.size() <= 64 && std::ranges::all_of(kind, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  if (!good) return Fail(Code::kInvalid, "\"{}\" cannot name a document of run {}", EscapeVisible(kind, 80), id);
  if (kind == "contract" || kind == "receipt") {
    return Fail(Code::kInvalid, "the {} of run {} is stored once, in its own way", kind, id);
  }
  return {};
}

Result<> CheckEnqueue(std::string_view id, const RunState& state, bool has_place, const QueueEntry& entry) {
  if (state.status != RunStatus::kCreated) {
    return Fail(Code::kInvalid, "run {} is {}; it cannot wait for a runner", id, RunStatusName(state.status));
  }
  if (!state.has_contract) return Fail(Code::kInvalid, "run {} has no contract that a runner could claim", id);
  if (has_place) return Fail(Code::kInvalid, "run {} waits for a runner already", id);
  return CheckName("pool", entry.pool);
}

Result<> CheckClaim(std::string_view id, RunStatus status, std::optional<QueuePlace> place, const Lease& lease) {
  if (status != RunStatus::kCreated || !place || !place->waiting) {
    return Fail(Code::kInvalid, "run {} is {} and does not wait for a runner", id, RunStatusName(status));
  }
  if (lease.attempt != place->attempts + 1) {
    return Fail(Code::kInvalid, "attempt {} of run {} does not follow {}", lease.attempt, id, place->attempts);
  }
  WRIT_TRY("claim", CheckName("runner", lease.runner_id));
  return CheckName("claim", lease.claim_id);
}

Result<> CheckRenew(std::string_view id, const std::optional<Lease>& lease, std::string_view claim_id) {
  if (!lease || lease->claim_id != claim_id) return Fail(Code::kInvalid, "run {} is not held by that claim", id);
  if (!lease->renewable) return Fail(Code::kInvalid, "the lease of run {} cannot be renewed", id);
  return {};
}

Result<> CheckRequeue(std::string_view id, RunStatus status, bool has_lease, std::optional<QueuePlace> place) {
  if (has_lease && place && !IsTerminal(status)) return {};
  return Fail(Code::kInvalid, "run {} is {} and held by nobody", id, RunStatusName(status));
}

Result<> CheckPrincipal(const Principal& principal) {
  WRIT_TRY("add principal", CheckName("name", principal.name));
  WRIT_TRY("add principal", CheckName("id", principal.id));
  WRIT_TRY("add principal", CheckName("role", principal.role));
  return CheckTokenHash(principal.token_hash);
}

Result<> CheckRunner(const Runner& runner) {
  WRIT_TRY("add runner", CheckName("id", runner.id));
  WRIT_TRY("add runner", CheckName("pool", runner.pool));
  WRIT_TRY("add runner", CheckName("key", runner.key_id));
  return CheckTokenHash(runner.token_hash);
}

Result<> CheckTokenHash(std::string_view token_hash) { return CheckHash("what is stored of a token", token_hash); }

Result<> CheckNonce(std::string_view nonce) { return CheckName("nonce", nonce); }

Result<> CheckApproval(std::string_view id, const Approval& approval) {
  if (approval.verdict != "approve" && approval.verdict != "deny") {
    return Fail(Code::kInvalid, "\"{}\" is no verdict on run {}", EscapeVisible(approval.verdict, 80), id);
  }
  WRIT_TRY("add approval", CheckName("actor", approval.actor_id));
  WRIT_TRY("add approval", CheckHash("what was approved", approval.digest));
  return CheckHash("the policy of an approval", approval.policy_hash);
}

Result<> CheckIdempotent(std::string_view scope, std::string_view key, const Idempotent& answer) {
  WRIT_TRY("keep answer", CheckName("scope", scope));
  WRIT_TRY("keep answer", CheckName("idempotency key", key));
  return CheckHash("what was asked", answer.body_hash);
}

std::unexpected<Error> PrincipalExists(std::string_view name) {
  return Fail(Code::kInvalid, "principal \"{}\" already exists", EscapeVisible(name, 160));
}
std::unexpected<Error> NoSuchPrincipal(std::string_view name) {
  return Fail(Code::kNotFound, "there is no principal \"{}\"", EscapeVisible(name, 160));
}
std::unexpected<Error> TokenTaken() { return Fail(Code::kInvalid, "the id or the token is in use already"); }
std::unexpected<Error> EnrollTokenExists() { return Fail(Code::kInvalid, "that enrol token exists already"); }
std::unexpected<Error> RunnerExists(std::string_view id) {
  return Fail(Code::kInvalid, "runner {} or its token exists already", EscapeVisible(id, 160));
}

}  // namespace writ::storage

#include <algorithm>

#include "storage/memory/memory_transaction.h"

namespace writ::storage {

Result<> MemoryTransaction::Within(const std::function<Result<bool>()>& change) {
  const std::size_t mark = undo_.size();
  const Result<bool> kept = change();
  if (!kept || !*kept) UndoTo(mark);
  if (!kept) return std::unexpected(kept.error());
  return {};
}

Result<> MemoryTransaction::AppendEvents(std::string_view id, std::span<const NewEvent> events) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  RunData& data = found->second;
  WRIT_TRY("append event", CheckEvents(id, data.State(), events));
  if (events.empty()) return {};
  undo_.push_back([this, name = std::string(id), head = data.run.head, last_ts = data.last_ts,
                   count = data.run.event_count] {
    RunData& back = data_.runs.find(name)->second;
    back.events.resize(count);
    back.run.head = head;
    back.run.event_count = count;
    back.last_ts = last_ts;
  });
  data.last_ts = std::string(NewestTimestamp(data.last_ts, events));
  for (const NewEvent& event : events) data.events.emplace_back(event.text);
  data.run.head = events.back().hash;
  data.run.event_count += events.size();
  return {};
}

Result<> MemoryTransaction::PutDocument(std::string_view id, std::string_view kind, std::string_view text) {
  WRIT_TRY("store document", CheckDocument(id, kind));
  WRIT_TRY("store document", Change(id))->documents.insert_or_assign(std::string(kind), std::string(text));
  return {};
}

Result<> MemoryTransaction::Enqueue(std::string_view id, const QueueEntry& entry) {
  RunData& data = *WRIT_TRY("enqueue", Change(id));
  WRIT_TRY("enqueue", CheckEnqueue(id, data.State(), data.queued.has_value(), entry));
  data.queued = entry;
  data.place = {.attempts = 0, .waiting = true};
  return {};
}

Result<> MemoryTransaction::Claim(std::string_view id, const Lease& lease, WallTime now) {
  RunData& data = *WRIT_TRY("claim", Change(id));
  WRIT_TRY("claim", CheckClaim(id, data.run.status, data.Place(), lease));
  data.place = {.attempts = lease.attempt, .waiting = false};
  data.lease = lease;
  data.run.status = RunStatus::kClaimed;
  data.run.updated = now;
  return {};
}

Result<> MemoryTransaction::RenewLease(std::string_view id, std::string_view claim_id, WallTime until) {
  RunData& data = *WRIT_TRY("renew lease", Change(id));
  WRIT_TRY("renew lease", CheckRenew(id, data.lease, claim_id));
  data.lease->until = until;
  return {};
}

Result<> MemoryTransaction::Requeue(std::string_view id, WallTime now) {
  RunData& data = *WRIT_TRY("requeue", Change(id));
  WRIT_TRY("requeue", CheckRequeue(id, data.run.status, data.lease.has_value(), data.Place()));
  data.lease.reset();
  data.place.waiting = true;
  data.run.status = RunStatus::kCreated;
  data.run.updated = now;
  return {};
}

Result<> MemoryTransaction::AddPrincipal(const Principal& principal) {
  WRIT_TRY("add principal", CheckPrincipal(principal));
  for (const Principal& other : data_.principals) {
    if (other.name == principal.name) return PrincipalExists(principal.name);
  }
  for (const Principal& other : data_.principals) {
    if (other.id == principal.id || other.token_hash == principal.token_hash) return TokenTaken();
  }
  Change(&Data::principals).push_back(principal);
  return {};
}

Result<> MemoryTransaction::ReplacePrincipalToken(std::string_view name, std::string_view token_hash) {
  WRIT_TRY("replace token", CheckTokenHash(token_hash));
  for (const Principal& other : data_.principals) {
    if (other.token_hash == token_hash && other.name != name) return TokenTaken();
  }
  auto& principals = Change(&Data::principals);
  const auto found = std::ranges::find(principals, name, &Principal::name);
  if (found == principals.end()) return NoSuchPrincipal(name);
  found->token_hash = token_hash;
  found->revoked = false;
  return {};
}

Result<> MemoryTransaction::RevokePrincipal(std::string_view name) {
  auto& principals = Change(&Data::principals);
  const auto found = std::ranges::find(principals, name, &Principal::name);
  if (found == principals.end()) return NoSuchPrincipal(name);
  found->revoked = true;
  return {};
}

Result<> MemoryTransaction::AddEnrollToken(std::string_view token_hash, WallTime expires) {
  WRIT_TRY("add enrol token", CheckTokenHash(token_hash));
  if (!Change(&Data::enroll_tokens).emplace(token_hash, expires).second) return EnrollTokenExists();
  return {};
}

Result<bool> MemoryTransaction::ConsumeEnrollToken(std::string_view token_hash, WallTime now) {
  const auto found = data_.enroll_tokens.find(token_hash);
  if (found == data_.enroll_tokens.end() || found->second <= now) return false;
  Change(&Data::enroll_tokens).erase(found);
  return true;
}

Result<> MemoryTransaction::AddRunner(const Runner& runner) {
  WRIT_TRY("add runner", CheckRunner(runner));
  for (const Runner& other : data_.runners) {
    if (other.id == runner.id || other.token_hash == runner.token_hash) return RunnerExists(runner.id);
  }
  Change(&Data::runners).push_back(runner);
  return {};
}

Result<bool> MemoryTransaction::SpendNonce(std::string_view nonce, WallTime expires) {
  WRIT_TRY("spend nonce", CheckNonce(nonce));
  const bool spent = data_.nonces.emplace(nonce, expires).second;
  if (spent) undo_.push_back([this, name = std::string(nonce)] { data_.nonces.erase(name); });
  return spent;
}

Result<> MemoryTransaction::AddApproval(std::string_view id, const Approval& approval) {
  WRIT_TRY("add approval", CheckApproval(id, approval));
  WRIT_TRY("add approval", Change(id))->approvals.push_back(approval);
  return {};
}

Result<> MemoryTransaction::PutIdempotent(std::string_view scope, std::string_view key, const Idempotent& answer) {
  WRIT_TRY("keep answer", CheckIdempotent(scope, key, answer));
  Change(&Data::idempotent).insert_or_assign({std::string(scope), std::string(key)}, answer);
  return {};
}

Result<> MemoryTransaction::ForgetExpired(WallTime now) {
  const auto expired = [now](const auto& row) { return row.second <= now; };
  std::erase_if(Change(&Data::nonces), expired);
  std::erase_if(Change(&Data::enroll_tokens), expired);
  std::erase_if(Change(&Data::idempotent), [now](const auto& row) { return row.second.expires <= now; });
  return {};
}

}  // namespace writ::storage

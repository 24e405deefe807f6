#include "runner/claim.h"

#include <algorithm>
#include <set>

#include "base/escape.h"
#include "contract/chain.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "net/host_name.h"
#include "storage/rules.h"

namespace writ::runner {
namespace {

using canon::Json;

constexpr double kArtifactBytesMax = 1u << 20;  // with the receipt, whatever a plane says
constexpr double kLeaseMsMax = 24 * 3600 * 1000.0;
constexpr std::size_t kEventsMax = 100'000;

Result<std::string> Text(const Json& json, std::string_view name) {
  const std::string* text = json.FindString(name);
  if (text == nullptr) return Fail(Code::kCorrupt, "claim: {} is not a text", name);
  return *text;
}

Result<const Json::Array*> List(const Json& json, std::string_view name) {
  const Json* list = json.Find(name);
  if (list == nullptr || !list->is_array()) return Fail(Code::kCorrupt, "claim: {} is not a list", name);
  return &list->array();
}

std::string_view TypeOf(const Json& entry) {
  const Json* event = entry.Find("event");
  const std::string* type = event == nullptr ? nullptr : event->FindString("type");
  return type == nullptr ? std::string_view() : std::string_view(*type);
}

bool MemberIs(const Json& entry, std::string_view name, std::string_view value) {
  const Json* event = entry.Find("event");
  const std::string* text = event == nullptr ? nullptr : event->FindString(name);
  return text != nullptr && *text == value;
}

Result<> CheckChain(const Claim& claim, const std::string& contract_hash) {
  if (claim.events.empty() || TypeOf(claim.events.front()) != "run.created")
    return Fail(Code::kDenied, "claim of run {}: its chain does not begin with run.created", claim.run_id);
  contract::EventChain chain(contract_hash);
  for (const Json& entry : claim.events) {
    auto broken = chain.Accept(entry);
    if (!broken) return Fail(Code::kDenied, "claim of run {}: {}", claim.run_id, broken.error().what);
    if (*broken) return Fail(Code::kDenied, "claim of run {}: event chain broken at seq {}: {}", claim.run_id, (*broken)->seq,
                             (*broken)->reason);
  }
  return {};
}

/// The last claim in the chain is ours, and only secret releases follow it.
Result<std::size_t> FindClaim(const Claim& claim, const ClaimRules& rules) {
  std::size_t at = claim.events.size();
  for (std::size_t i = 0; i < claim.events.size(); ++i) {
    const auto type = TypeOf(claim.events[i]);
    if (type == "run.claimed") at = i;
    if (type == "run.completed" || type == "run.failed" || type == "run.cancelled")
      return Fail(Code::kDenied, "claim of run {}: the run has ended already", claim.run_id);
  }
  if (at == claim.events.size() || !MemberIs(claim.events[at], "runnerId", rules.runner_id) ||
      !MemberIs(claim.events[at], "runnerKeyId", rules.runner_key_id))
    return Fail(Code::kDenied, "claim of run {}: its chain does not say that this runner claimed it", claim.run_id);
  for (std::size_t i = at + 1; i < claim.events.size(); ++i) {
    if (TypeOf(claim.events[i]) != "secret.released")
      return Fail(Code::kDenied, "claim of run {}: {} follows the claim, which only this runner may write", claim.run_id,
                  EscapeVisible(TypeOf(claim.events[i])));
  }
  return at;
}

/// What came with the claim is what the contract names, no more and no less, and the chain says so.
Result<> CheckSecrets(const Claim& claim, const contract::Contract& contract, std::size_t claimed_at) {
  std::multiset<std::string> named, given, told;
  for (const auto& secret : contract.secrets) named.insert(secret.name);
  for (const auto& secret : claim.secrets) given.insert(secret.name);
  for (std::size_t i = claimed_at + 1; i < claim.events.size(); ++i) {
    const Json* event = claim.events[i].Find("event");
    if (const auto* name = event->FindString("name")) told.insert(*name);
  }
  for (const auto& name : given)
    if (!named.contains(name))
      return Fail(Code::kDenied, "claim of run {}: secret {} is not in the contract", claim.run_id, EscapeVisible(name));
  if (given != named) return Fail(Code::kDenied, "claim of run {}: not every secret of the contract came with it", claim.run_id);
  if (told != named) return Fail(Code::kDenied, "claim of run {}: the chain tells of other secrets than the contract", claim.run_id);
  return {};
}

}  // namespace

Result<std::optional<Claim>> DecodeClaim(const Json& answer) {
  if (const Json* empty = answer.Find("empty"); empty != nullptr && empty->is_bool() && empty->boolean()) return std::optional<Claim>();
  Claim claim;
  claim.run_id = WRIT_TRY("decode", Text(answer, "runId"));
  claim.token = WRIT_TRY("decode", Text(answer, "claimToken"));
  const Json* contract = answer.Find("contract");
  if (contract == nullptr || !contract->is_object()) return Fail(Code::kCorrupt, "claim: contract is not an object");
  claim.contract = *contract;
  claim.events = *WRIT_TRY("decode", List(answer, "events"));
  if (claim.events.size() > kEventsMax) return Fail(Code::kCorrupt, "claim: {} events are too many", claim.events.size());
  const auto* secrets = WRIT_TRY("decode", List(answer, "secrets"));
  for (const Json& secret : *secrets) {
    claim.secrets.push_back({WRIT_TRY("secrets", Text(secret, "name")), WRIT_TRY("secrets", Text(secret, "value"))});
    // What is bound must never reach the job, so whatever stands there has to be a host.
    if (const Json* writ = secret.Find("writ")) {
      const auto host = WRIT_TRY("secrets", Text(*writ, "host"));
      claim.secret_hosts.insert_or_assign(claim.secrets.back().name, WRIT_TRY("secrets", net::NormaliseHost(host)).ToText());
    }
  }
  if (const Json* writ = answer.Find("writ")) {
    const auto millis = [&](std::string_view name) {
      const Json* value = writ->Find(name);
      return value != nullptr && value->is_number() && value->number() >= 1 && value->number() <= kLeaseMsMax
                 ? Millis(static_cast<std::int64_t>(value->number()))
                 : Millis{0};
    };
    Lease lease{millis("leaseMs"), millis("heartbeatMs")};
    if (const Json* bytes = writ->Find("artifactBytes"); bytes != nullptr && bytes->is_number() && bytes->number() >= 1)
      lease.artifact_bytes = static_cast<std::uint64_t>(std::min(bytes->number(), kArtifactBytesMax));
    if (lease.life <= Millis{0}) return Fail(Code::kCorrupt, "claim: writ.leaseMs is not an amount of milliseconds");
    if (lease.heartbeat <= Millis{0} || lease.heartbeat > lease.life) lease.heartbeat = std::max(lease.life / 3, Millis{1});
    claim.lease = lease;
  }
  return std::optional<Claim>(std::move(claim));
}

Result<CheckedClaim> CheckClaim(const Claim& claim, const ClaimRules& rules) {
  if (!storage::IsRunId(claim.run_id)) return Fail(Code::kDenied, "claim: {} is no run id", EscapeVisible(claim.run_id, 80));
  if (rules.plane_key && !contract::IsSignedBy(claim.contract, contract::kSignerPlane, rules.plane_key->Pem()))
    return Fail(Code::kDenied, "claim of run {}: contract plane signature invalid", EscapeVisible(claim.run_id));
  auto decoded = contract::DecodeContract(claim.contract);
  if (!decoded) return Fail(Code::kDenied, "claim of run {}: {}", EscapeVisible(claim.run_id), decoded.error().what);
  CheckedClaim checked;
  checked.contract = *std::move(decoded);
  if (checked.contract.run_id != claim.run_id)
    return Fail(Code::kDenied, "claim of run {}: the contract is of another run", EscapeVisible(claim.run_id));
  if (checked.contract.pool != rules.pool)
    return Fail(Code::kDenied, "claim of run {}: the contract is for pool {}", claim.run_id, EscapeVisible(checked.contract.pool));
  checked.contract_hash = WRIT_TRY("claim", contract::HashUnsigned(claim.contract));
  WRIT_TRY("claim", CheckChain(claim, checked.contract_hash));
  checked.claimed_at = WRIT_TRY("claim", FindClaim(claim, rules));
  WRIT_TRY("claim", CheckSecrets(claim, checked.contract, checked.claimed_at));
  return checked;
}

}  // namespace writ::runner

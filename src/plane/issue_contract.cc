#include "plane/issue_contract.h"

#include "contract/event.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/signing.h"

namespace writ::plane {
namespace {

namespace event = contract::event;

}  // namespace

Result<std::string> DigestOfDraft(const contract::Contract& draft) {
  canon::Json json = contract::ToJson(draft);
  if (const canon::Json* writ = json.Find("writ"); writ != nullptr && writ->is_object()) {
    canon::Json judged = *writ;
    judged.Remove("decision");
    json.Set("writ", std::move(judged));
  }
  return contract::HashUnsigned(json);
}

Result<> CheckClaim(const canon::Json& contract, std::string_view plane_pem, WallTime now) {
  if (!contract::IsSignedBy(contract, contract::kSignerPlane, plane_pem))
    return Fail(Code::kDenied, "contract plane signature invalid");
  return contract::CheckNotExpired(contract, now);
}

Result<IssuedRun> IssueContract(IssueParts parts, contract::Contract draft, const policy::Decision& decision,
                                std::string_view summary) {
  if (decision.verdict != policy::Verdict::kAllow)
    return Fail(Code::kDenied, "no contract without an allowing decision: {}", decision.reason);
  const WallTime now = parts.clock.Now();
  draft.issued_at = now;
  draft.expires_at = now + contract::kContractLife;
  draft.issuer_key_id = parts.plane_key.key_id();
  const std::string run_id = draft.run_id;
  const Judged judged{run_id, WRIT_TRY("contract", DigestOfDraft(draft)), draft.policy_hash};

  const auto transaction = WRIT_TRY("contract", parts.store.Begin());
  const auto head =
      WRIT_TRY("decision log", transaction->AppendDecision(parts.decision_genesis, EntryFor(decision, judged, now)));
  if (draft.writ.is_object()) draft.writ.Set("decision", head.hash);
  auto issued = WRIT_TRY("contract", contract::Issue(std::move(draft), parts.plane_key));
  WRIT_TRY("claim", CheckClaim(issued.json, parts.plane_pem, now));

  WRIT_TRY("store contract", transaction->CreateRun({.id = run_id,
                                                     .status = storage::RunStatus::kCreated,
                                                     .created = now,
                                                     .summary = std::string(summary)}));
  WRIT_TRY("store contract", transaction->SetContract(run_id, canon::Compact(issued.json), issued.hash));
  session::EventLog log(parts.store, parts.clock, run_id, issued.hash);
  WRIT_TRY("begin chain", log.Append(*transaction, event::RunCreated()));
  WRIT_TRY("begin chain", log.Append(*transaction, event::PolicyEvaluated("allow", decision.reason)));
  canon::Json claimed = event::RunClaimed(parts.runner_id, parts.runner_key_id);
  canon::Json host = parts.host;
  claimed.Set("writ", std::move(host.Set("v", 1)));
  WRIT_TRY("claim", log.Append(*transaction, std::move(claimed)));
  for (auto& begun : parts.begun) WRIT_TRY("begin run", log.Append(*transaction, std::move(begun)));
  WRIT_TRY("claim", transaction->SetStatus(run_id, *log.facts().state, now));
  WRIT_TRY("store contract", transaction->Commit(storage::Durability::kDurable));
  return IssuedRun{std::move(issued), std::move(log)};
}

}  // namespace writ::plane

#include "plane/issue_contract.h"

#include <algorithm>

#include "contract/event.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "plane/proposal.h"

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

Granted GrantedBy(const Question& question, const Judgement& judgement) {
  Granted granted{question, {}, judgement.good_until};
  for (const auto& state : judgement.requirements) {
    for (const ConsentAnswer* answer : state.given) {
      const bool known = std::ranges::any_of(granted.answers, [&](const auto& other) {
        return other.voter == answer->voter || other.actor.id == answer->actor.id;
      });
      if (!known) granted.answers.push_back(*answer);
    }
  }
  return granted;
}

Result<SignedRun> SignRun(storage::Transaction& transaction, const Signing& signing, contract::Contract draft,
                          const policy::Decision& decision, const std::optional<Granted>& granted) {
  const bool allows = decision.verdict == policy::Verdict::kAllow;
  const bool consented = decision.verdict == policy::Verdict::kNeedsApproval && granted.has_value();
  if (!allows && !consented) return Fail(Code::kDenied, "no contract without an allowing decision: {}", decision.reason);
  draft.issued_at = signing.now;
  draft.expires_at = signing.now + contract::kContractLife;
  draft.issuer_key_id = signing.plane_key.key_id();
  const std::string run_id = draft.run_id;
  Judged judged{run_id, WRIT_TRY("contract", DigestOfDraft(draft)), draft.policy_hash};
  storage::NewDecision entry = EntryFor(decision, judged, signing.now);
  std::vector<canon::Json> consent;
  if (consented) {
    const std::string digest = WRIT_TRY("contract", DigestOfProposal(ProposalOf(draft)));
    if (digest != granted->question.digest || draft.policy_hash != granted->question.policy_hash)
      return Fail(Code::kDenied, "what would run has changed since it was approved");
    if (granted->answers.empty()) return Fail(Code::kDenied, "nobody has approved run {}", run_id);
    if (granted->good_until) {
      if (*granted->good_until <= signing.now) return Fail(Code::kDenied, "the approval of run {} has expired", run_id);
      draft.expires_at = std::min(draft.expires_at, *granted->good_until);
    }
    entry.kind = storage::DecisionKind::kAllow;
    entry.digest = digest;
    entry.reason = "approved by ";
    for (const auto& requirement : granted->question.requirements)
      consent.push_back(event::ConsentRequested(requirement.requirement));
    for (const auto& answer : granted->answers) {
      entry.reason += (draft.approved_by.empty() ? "" : ", ") + answer.actor.id;
      draft.approved_by.push_back(answer.actor);
      canon::Json given = event::ConsentGranted(answer.actor);
      if (answer.voter != "principal:" + answer.actor.id)
        given.Set("writ", canon::Json::Of({{"v", 1}, {"by", answer.voter}}));
      consent.push_back(std::move(given));
    }
    if (draft.writ.is_object()) draft.writ.Set("approval", digest);
  }
  const auto head = WRIT_TRY("decision log", transaction.AppendDecision(signing.decision_genesis, entry));
  if (draft.writ.is_object()) draft.writ.Set("decision", head.hash);

  SignedRun run;
  run.events.push_back(event::RunCreated());
  if (draft.continuation)
    run.events.push_back(event::CheckpointCreated(draft.continuation->checkpoint_id, draft.continuation->tier));
  run.events.push_back(event::PolicyEvaluated(policy::VerdictName(decision.verdict), decision.reason));
  for (auto& one : consent) run.events.push_back(std::move(one));
  run.contract = WRIT_TRY("contract", contract::Issue(std::move(draft), signing.plane_key));
  WRIT_TRY("claim", CheckClaim(run.contract.json, signing.plane_pem, signing.now));
  WRIT_TRY("store contract", transaction.SetContract(run_id, canon::Compact(run.contract.json), run.contract.hash));
  return run;
}

Result<IssuedRun> IssueContract(IssueParts parts, contract::Contract draft, const policy::Decision& decision,
                                std::string_view summary) {
  const WallTime now = parts.clock.Now();
  const std::string run_id = draft.run_id;
  const auto transaction = WRIT_TRY("contract", parts.store.Begin());
  if (parts.granted) {
    WRIT_TRY("store contract", transaction->SetStatus(run_id, storage::RunStatus::kCreated, now));
    WRIT_TRY("store contract", transaction->SetSummary(run_id, summary));
  } else {
    WRIT_TRY("store contract", transaction->CreateRun({.id = run_id,
                                                       .status = storage::RunStatus::kCreated,
                                                       .created = now,
                                                       .summary = std::string(summary)}));
  }
  SignedRun run = WRIT_TRY("contract", SignRun(*transaction, {parts.plane_key, parts.plane_pem, parts.decision_genesis, now},
                                               std::move(draft), decision, parts.granted));
  session::EventLog log(parts.store, parts.clock, run_id, run.contract.hash);
  for (auto& one : run.events) WRIT_TRY("begin chain", log.Append(*transaction, std::move(one)));
  canon::Json claimed = event::RunClaimed(parts.runner_id, parts.runner_key_id);
  canon::Json host = parts.host;
  claimed.Set("writ", std::move(host.Set("v", 1)));
  WRIT_TRY("claim", log.Append(*transaction, std::move(claimed)));
  for (auto& begun : parts.begun) WRIT_TRY("begin run", log.Append(*transaction, std::move(begun)));
  WRIT_TRY("claim", transaction->SetStatus(run_id, *log.facts().state, now));
  WRIT_TRY("store contract", transaction->Commit(storage::Durability::kDurable));
  return IssuedRun{std::move(run.contract), std::move(log)};
}

}  // namespace writ::plane

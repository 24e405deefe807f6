#include "plane/parked_run.h"

#include <optional>
#include <utility>

#include "plane/authority.h"
#include "plane/decision_log.h"

namespace writ::plane {

using canon::Json;

namespace {

Result<Json> ReadDocument(storage::Store& store, std::string_view run_id, std::string_view kind) {
  const auto text = WRIT_TRY(kind, store.GetDocument(run_id, kind));
  if (!text) return Fail(Code::kCorrupt, "run {} has no document \"{}\"", run_id, kind);
  return canon::Parse(*text, canon::Mode::kStrict);
}

Result<> Log(const ConsentLedger& ledger, storage::DecisionKind kind, const Question& question, std::string reason, Json detail) {
  storage::NewDecision entry;
  entry.kind = kind;
  entry.at = ledger.now;
  entry.run_id = question.run_id;
  entry.digest = question.digest;
  entry.policy_hash = question.policy_hash;
  entry.reason = std::move(reason);
  entry.detail = std::move(detail);
  [[maybe_unused]] const auto head = WRIT_TRY("decision log", ledger.transaction.AppendDecision(ledger.decision_genesis, entry));
  return {};
}

Result<std::optional<ApprovedBefore>> LastApproved(storage::Store& store, const std::string& key) {
  const auto text = WRIT_TRY("last approved", store.GetValue(key));
  if (!text) return std::nullopt;
  const Json json = WRIT_TRY("last approved", canon::Parse(*text, canon::Mode::kStrict));
  const std::string* run_id = json.FindString("runId");
  const std::string* at = json.FindString("at");
  if (run_id == nullptr || at == nullptr) return Fail(Code::kCorrupt, "the record of the last approved run cannot be read");
  const auto proposal = store.GetDocument(*run_id, kProposalDocument);
  if (!proposal || !*proposal) return std::nullopt;  // retention has removed it
  const WallTime when = WRIT_TRY("last approved", ParseTimestamp(*at));
  return ApprovedBefore{*run_id, when, WRIT_TRY("last approved", canon::Parse(**proposal, canon::Mode::kStrict))};
}

}  // namespace

Result<> Park(const ConsentLedger& ledger, const Question& question, const Json& proposal, std::string_view summary,
              const policy::Decision& decision) {
  WRIT_TRY("park run", ledger.transaction.CreateRun({.id = question.run_id,
                                                     .status = storage::RunStatus::kAwaitingApproval,
                                                     .created = question.asked,
                                                     .summary = std::string(summary)}));
  WRIT_TRY("park run", ledger.transaction.PutDocument(question.run_id, kProposalDocument, canon::Compact(proposal)));
  WRIT_TRY("park run", ledger.transaction.PutDocument(question.run_id, kQuestionDocument, canon::Compact(ToJson(question))));
  [[maybe_unused]] const auto head = WRIT_TRY(
      "park run", ledger.transaction.AppendDecision(
                      ledger.decision_genesis,
                      EntryFor(decision, {question.run_id, question.digest, question.policy_hash}, ledger.now)));
  return {};
}

Result<Question> ReadQuestion(storage::Store& store, std::string_view run_id) {
  const Json question = WRIT_TRY("consent", ReadDocument(store, run_id, kQuestionDocument));
  return DecodeQuestion(question);
}

Result<ParkedRun> ReadParked(storage::Store& store, storage::Run run) {
  ParkedRun parked;
  parked.run = std::move(run);
  parked.question = WRIT_TRY("consent", ReadQuestion(store, parked.run.id));
  parked.proposal = WRIT_TRY("consent", ReadDocument(store, parked.run.id, kProposalDocument));
  const auto rows = WRIT_TRY("consent", store.Approvals(parked.run.id));
  for (const auto& row : rows) {
    parked.answers.push_back({.actor = {row.actor_kind, row.actor_id},
                              .voter = row.reason,
                              .digest = row.digest,
                              .policy_hash = row.policy_hash,
                              .approves = row.verdict == "approve",
                              .at = row.at});
  }
  return parked;
}

Result<> KeepAnswer(const ConsentLedger& ledger, const Question& question, const ConsentAnswer& answer, std::string_view reason) {
  // The store's `reason` holds how the actor was known; what a denial says stands in the decision log and the summary.
  WRIT_TRY("keep answer", ledger.transaction.AddApproval(question.run_id, {.actor_kind = answer.actor.kind,
                                                                           .actor_id = answer.actor.id,
                                                                           .digest = answer.digest,
                                                                           .policy_hash = answer.policy_hash,
                                                                           .verdict = answer.approves ? "approve" : "deny",
                                                                           .reason = answer.voter,
                                                                           .at = answer.at,
                                                                           .expires = EndOf(question)}));
  Json detail = Json::Of({{"actor", contract::ToJson(answer.actor)}, {"by", answer.voter}});
  return Log(ledger, answer.approves ? storage::DecisionKind::kApproval : storage::DecisionKind::kDeny, question,
             fmt::format("{} by {}{}{}", answer.approves ? "approved" : "denied", answer.actor.id, reason.empty() ? "" : ": ", reason),
             std::move(detail));
}

Result<> EndParked(const ConsentLedger& ledger, const storage::Run& run, std::string_view why) {
  WRIT_TRY("end run", ledger.transaction.SetStatus(run.id, storage::RunStatus::kCancelled, ledger.now));
  Json summary = WRIT_TRY("summary", canon::Parse(run.summary, canon::Mode::kWire));
  if (summary.is_object()) {
    summary.Set("failureMessage", why);
    WRIT_TRY("summary", ledger.transaction.SetSummary(run.id, canon::Compact(summary)));
  }
  return {};
}

Result<> LogEnd(const ConsentLedger& ledger, const Question& question, std::string_view why, Json detail) {
  return Log(ledger, storage::DecisionKind::kRefusal, question, std::string(why), std::move(detail));
}

Result<> RememberApproved(const ConsentLedger& ledger, const ParkedRun& parked) {
  return ledger.transaction.PutValue(
      KindKey(parked.question.requester_principal, parked.proposal),
      canon::Compact(Json::Of({{"runId", parked.question.run_id}, {"at", FormatTimestamp(ledger.now)}})));
}

policy::Decision DecisionOf(const Question& question) {
  policy::Decision decision;
  decision.verdict = policy::Verdict::kNeedsApproval;
  decision.consent = question.requirements;
  decision.rule = question.requirements.empty() ? "default" : question.requirements.front().rule;
  decision.reason = fmt::format("consent required: {}", fmt::join(decision.ConsentRequirements(), "; "));
  return decision;
}

Result<Json> ApprovalJson(storage::Store& store, const ParkedRun& parked, WallTime now) {
  const Question& question = parked.question;
  const auto before = WRIT_TRY("consent", LastApproved(store, KindKey(question.requester_principal, parked.proposal)));
  return Json::Of({{"runId", question.run_id},
                   {"digest", question.digest},
                   {"policyHash", question.policy_hash},
                   {"principal", question.requester_principal},
                   {"createdAt", FormatTimestamp(question.asked)},
                   {"expiresAt", FormatTimestamp(EndOf(question))},
                   {"requirements", RequirementsJson(question, Judge(question, parked.answers, now))},
                   {"request", parked.proposal},
                   {"difference", DifferenceInAuthority(before, parked.proposal)}});
}

}  // namespace writ::plane

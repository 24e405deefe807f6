#include "plane/approvals.h"

#include <algorithm>
#include <utility>

#include "contract/event.h"
#include "contract/object_reader.h"
#include "plane/authority.h"
#include "plane/decision_log.h"
#include "plane/idp.h"
#include "plane/issue_contract.h"
#include "plane/proposal.h"
#include "plane/run_intake.h"

namespace writ::plane {

using canon::Json;
using storage::RunStatus;

namespace {

constexpr std::size_t kReasonMax = 4096, kTokenMax = 16384, kPageOfQuestions = 256;
constexpr Millis kLookAgain = std::chrono::seconds{30};

/// A waiting run with everything that was kept about it.
struct Waiting {
  storage::Run run;
  Question question;
  Json proposal;
  std::vector<ConsentAnswer> answers;
};

Answer<storage::Run> FindRun(const Core& core, std::string_view run_id) {
  auto run = core.store.GetRun(run_id);
  if (run) return *std::move(run);
  if (run.error().code == Code::kNotFound) return NotFound(fmt::format("unknown run {}", run_id));
  return std::unexpected(FromError(std::move(run).error()));
}

Result<Json> ReadDocument(const Core& core, std::string_view run_id, std::string_view kind) {
  const auto text = WRIT_TRY(kind, core.store.GetDocument(run_id, kind));
  if (!text) return Fail(Code::kCorrupt, "run {} has no document \"{}\"", run_id, kind);
  return canon::Parse(*text, canon::Mode::kStrict);
}

Answer<Waiting> ReadWaiting(const Core& core, std::string_view run_id) {
  Waiting waiting;
  waiting.run = WRIT_ANSWER(FindRun(core, run_id));
  if (waiting.run.status != RunStatus::kAwaitingApproval) return Conflict(fmt::format("run {} is not awaiting approval", run_id));
  const Json question = WRIT_ANSWER(ReadDocument(core, run_id, kQuestionDocument));
  waiting.question = WRIT_ANSWER(DecodeQuestion(question));
  waiting.proposal = WRIT_ANSWER(ReadDocument(core, run_id, kProposalDocument));
  const auto rows = WRIT_ANSWER(core.store.Approvals(run_id));
  for (const auto& row : rows) {
    waiting.answers.push_back({.actor = {row.actor_kind, row.actor_id},
                               .voter = row.reason,
                               .digest = row.digest,
                               .policy_hash = row.policy_hash,
                               .approves = row.verdict == "approve",
                               .at = row.at});
  }
  return waiting;
}

std::unexpected<Refusal> RefusalFor(const AnswerRefused& refused) {
  switch (refused.problem) {
    case AnswerProblem::kNotApprover:
    case AnswerProblem::kRequester: return Forbidden(refused.text);
    case AnswerProblem::kChanged:
    case AnswerProblem::kExpired:
    case AnswerProblem::kAgain: break;
  }
  return Conflict(refused.text);
}

/// The decision that asked, as it was made.
policy::Decision DecisionOf(const Question& question) {
  policy::Decision decision;
  decision.verdict = policy::Verdict::kNeedsApproval;
  decision.consent = question.requirements;
  decision.rule = question.requirements.empty() ? "default" : question.requirements.front().rule;
  decision.reason = fmt::format("consent required: {}", fmt::join(decision.ConsentRequirements(), "; "));
  return decision;
}

Result<> Log(Core& core, Change& change, storage::DecisionKind kind, const Question& question, std::string reason, Json detail) {
  [[maybe_unused]] const auto head = WRIT_TRY("decision log", change->AppendDecision(core.keys.decision_genesis, {.kind = kind,
                                                                        .at = change.now(),
                                                                        .run_id = question.run_id,
                                                                        .digest = question.digest,
                                                                        .policy_hash = question.policy_hash,
                                                                        .reason = std::move(reason),
                                                                        .detail = std::move(detail)}));
  return {};
}

Json DetailOf(const Voter& voter) { return Json::Of({{"actor", contract::ToJson(voter.actor)}, {"by", voter.id}}); }

/// Ends a run that has no contract. The reason stands in its view and in the decision log.
Result<> EndWaiting(Core& core, Change& change, const storage::Run& run, std::string_view why) {
  WRIT_TRY("end run", change->SetStatus(run.id, RunStatus::kCancelled, change.now()));
  Json summary = WRIT_TRY("summary", canon::Parse(run.summary, canon::Mode::kWire));
  if (summary.is_object()) {
    summary.Set("failureMessage", why);
    WRIT_TRY("summary", change->SetSummary(run.id, canon::Compact(summary)));
  }
  change.AfterCommit([&core] { core.metrics.Add("runs.cancelled"); });
  return {};
}

ConsentAnswer AnswerFrom(const Question& question, const Voter& voter, const AnswerBody& body, bool approves, WallTime now) {
  return {.actor = voter.actor,
          .voter = voter.id,
          .digest = body.digest.value_or(question.digest),
          .policy_hash = question.policy_hash,
          .approves = approves,
          .at = now};
}

Result<std::optional<ApprovedBefore>> LastApproved(const Core& core, const std::string& key) {
  const auto text = WRIT_TRY("last approved", core.store.GetValue(key));
  if (!text) return std::nullopt;
  const Json json = WRIT_TRY("last approved", canon::Parse(*text, canon::Mode::kStrict));
  const std::string* run_id = json.FindString("runId");
  const std::string* at = json.FindString("at");
  if (run_id == nullptr || at == nullptr) return Fail(Code::kCorrupt, "the record of the last approved run cannot be read");
  const auto proposal = core.store.GetDocument(*run_id, kProposalDocument);
  if (!proposal || !*proposal) return std::nullopt;  // retention has removed it
  return ApprovedBefore{*run_id, WRIT_TRY("last approved", ParseTimestamp(*at)),
                        WRIT_TRY("last approved", canon::Parse(**proposal, canon::Mode::kStrict))};
}

}  // namespace

Answer<AnswerBody> DecodeAnswerBody(const Json& json) {
  AnswerBody body;
  contract::ObjectReader reader(json, "");
  if (const Json* actor = reader.Member("actor", false)) {
    contract::ActorRef ref;
    reader.Take(ref, contract::DecodeActor(*actor, "actor"));
    body.actor = std::move(ref);
  }
  reader.Text("idpToken", body.idp_token, 1, kTokenMax);
  reader.Hash("digest", body.digest);
  std::optional<std::string> reason;
  reader.Text("reason", reason, 0, kReasonMax);
  body.reason = reason.value_or("");
  if (const Json* writ = reader.Member("writ", false)) {
    contract::ObjectReader inner(*writ, "writ");
    std::uint64_t version = 0;
    std::optional<bool> stop;
    inner.Integer("v", version, 1, 1);
    inner.Bool("stop", stop);
    inner.RefuseOthers();
    body.stop = stop.value_or(false);
    if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
  }
  if (auto done = reader.Finish(); !done) return InvalidRequest({done.error().what});
  return body;
}

Answer<Voter> VoterOf(const Core& core, const storage::Principal& principal, const AnswerBody& body, WallTime now) {
  if (body.idp_token) {
    if (core.idp == nullptr) return BadRequest("no IdP is configured for approvals");
    auto subject = core.idp->Subject(*body.idp_token, now);
    if (!subject) return Unauthorized(fmt::format("identity token refused: {}", subject.error().what));
    if (body.actor && (body.actor->kind != "human" || body.actor->id != *subject))
      return Forbidden("the identity token is not that of the actor named");
    return Voter{{"human", *subject}, "idp:" + *subject};
  }
  Voter voter{{"human", principal.name}, "principal:" + principal.name};
  if (!body.actor || body.actor->id == principal.name) return voter;
  if (principal.role != "admin") return Forbidden(fmt::format("\"{}\" cannot answer as \"{}\"", principal.name, body.actor->id));
  voter.actor = *body.actor;
  return voter;
}

Answer<Json> ApproveRun(Core& core, Change& change, const storage::Principal& principal, std::string_view run_id,
                        const AnswerBody& body) {
  Waiting waiting = WRIT_ANSWER(ReadWaiting(core, run_id));
  const Voter voter = WRIT_ANSWER(VoterOf(core, principal, body, change.now()));
  const Question& question = waiting.question;
  if (question.policy_hash != core.policy.hash)
    return Conflict(fmt::format("run {} was judged by another policy; it has to be requested again", run_id));
  const ConsentAnswer answer = AnswerFrom(question, voter, body, true, change.now());
  if (const auto refused = CheckApproval(question, waiting.answers, answer, change.now())) return RefusalFor(*refused);
  WRIT_ANSWER(change->AddApproval(run_id, {.actor_kind = voter.actor.kind,
                                           .actor_id = voter.actor.id,
                                           .digest = answer.digest,
                                           .policy_hash = answer.policy_hash,
                                           .verdict = "approve",
                                           .reason = voter.id,
                                           .at = change.now(),
                                           .expires = EndOf(question)}));
  WRIT_ANSWER(Log(core, change, storage::DecisionKind::kApproval, question, fmt::format("approved by {}", voter.actor.id), DetailOf(voter)));
  waiting.answers.push_back(answer);
  const Judgement judgement = Judge(question, waiting.answers, change.now());
  if (judgement.state != ConsentState::kGranted) {
    return Json::Of({{"runId", run_id},
                     {"status", storage::RunStatusName(RunStatus::kAwaitingApproval)},
                     {"requirements", RequirementsJson(question, judgement)}});
  }
  WRIT_ANSWER(change->SetStatus(run_id, RunStatus::kCreated, change.now()));
  contract::Contract draft = WRIT_ANSWER(DraftFromProposal(waiting.proposal));
  SignedRun run = WRIT_ANSWER(SignRun(*change, {core.keys.plane, core.keys.plane_pem, core.keys.decision_genesis, change.now()},
                                      std::move(draft), DecisionOf(question), GrantedBy(question, judgement)));
  WRIT_ANSWER(StartRun(core, change, run_id, std::move(run), question.requester_principal));
  WRIT_ANSWER(change->PutValue(KindKey(question.requester_principal, waiting.proposal),
                               canon::Compact(Json::Of({{"runId", run_id}, {"at", FormatTimestamp(change.now())}}))));
  change.AfterCommit([&core] { core.metrics.Add("runs.approved"); });
  return Json::Of({{"runId", run_id}, {"status", storage::RunStatusName(RunStatus::kCreated)}});
}

Answer<Json> DenyRun(Core& core, Change& change, const storage::Principal& principal, std::string_view run_id,
                     const AnswerBody& body) {
  const Waiting waiting = WRIT_ANSWER(ReadWaiting(core, run_id));
  const Voter voter = WRIT_ANSWER(VoterOf(core, principal, body, change.now()));
  const ConsentAnswer answer = AnswerFrom(waiting.question, voter, body, false, change.now());
  const auto refused = CheckDenial(waiting.question, answer, change.now());
  if (refused && !(refused->problem == AnswerProblem::kNotApprover && principal.role == "admin")) return RefusalFor(*refused);
  const std::string why = fmt::format("denied by {}{}{}", voter.actor.id, body.reason.empty() ? "" : ": ", body.reason);
  WRIT_ANSWER(change->AddApproval(run_id, {.actor_kind = voter.actor.kind,
                                           .actor_id = voter.actor.id,
                                           .digest = answer.digest,
                                           .policy_hash = answer.policy_hash,
                                           .verdict = "deny",
                                           .reason = voter.id,
                                           .at = change.now(),
                                           .expires = EndOf(waiting.question)}));
  WRIT_ANSWER(Log(core, change, storage::DecisionKind::kDeny, waiting.question, why, DetailOf(voter)));
  WRIT_ANSWER(EndWaiting(core, change, waiting.run, why));
  return Json::Of({{"runId", run_id}, {"status", storage::RunStatusName(RunStatus::kCancelled)}});
}

Answer<Json> CancelRun(Core& core, Change& change, const storage::Principal& principal, std::string_view run_id,
                       const AnswerBody& body) {
  const storage::Run run = WRIT_ANSWER(FindRun(core, run_id));
  // Who cancels is only recorded: whoever may cancel may cancel every run.
  const contract::ActorRef actor = body.actor.value_or(contract::ActorRef{"human", principal.name});
  const std::string by = "principal:" + principal.name;
  switch (run.status) {
    case RunStatus::kAwaitingApproval: {
      const Json question = WRIT_ANSWER(ReadDocument(core, run_id, kQuestionDocument));
      const Question asked = WRIT_ANSWER(DecodeQuestion(question));
      const std::string why = fmt::format("cancelled by {}", actor.id);
      WRIT_ANSWER(Log(core, change, storage::DecisionKind::kRefusal, asked, why, DetailOf({actor, by})));
      WRIT_ANSWER(EndWaiting(core, change, run, why));
      break;
    }
    case RunStatus::kCreated: {
      KeptRun* kept = WRIT_ANSWER(core.chains.Open(change, run_id));
      Json cancelled = contract::event::RunCancelled(actor);
      if (actor.id != principal.name) cancelled.Set("writ", Json::Of({{"v", 1}, {"by", by}}));
      WRIT_ANSWER(core.chains.Append(change, *kept, {std::move(cancelled)}));
      DropFromQueue(core, change, run_id);
      WRIT_ANSWER(EndWaiting(core, change, run, fmt::format("cancelled by {}", actor.id)));
      kept->status = RunStatus::kCancelled;
      break;
    }
    case RunStatus::kClaimed:
    case RunStatus::kRunning:
      if (body.stop) {
        WRIT_ANSWER(AskToStop(core, change, run_id, fmt::format("cancelled by {}", actor.id)));
        return Json::Of({{"runId", run_id}, {"status", storage::RunStatusName(run.status)}, {"stopping", true}});
      }
      [[fallthrough]];
    default:
      return BadRequest(fmt::format("run {} is {}; only unclaimed runs can be cancelled", run_id, storage::RunStatusName(run.status)));
  }
  return Json::Of({{"runId", run_id}, {"status", storage::RunStatusName(RunStatus::kCancelled)}});
}

Answer<Json> ApprovalOf(const Core& core, std::string_view run_id, WallTime now) {
  const Waiting waiting = WRIT_ANSWER(ReadWaiting(core, run_id));
  const Question& question = waiting.question;
  const auto before = WRIT_ANSWER(LastApproved(core, KindKey(question.requester_principal, waiting.proposal)));
  return Json::Of({{"runId", run_id},
                   {"digest", question.digest},
                   {"policyHash", question.policy_hash},
                   {"principal", question.requester_principal},
                   {"createdAt", FormatTimestamp(question.asked)},
                   {"expiresAt", FormatTimestamp(EndOf(question))},
                   {"requirements", RequirementsJson(question, Judge(question, waiting.answers, now))},
                   {"request", waiting.proposal},
                   {"difference", DifferenceInAuthority(before, waiting.proposal)}});
}

Answer<Millis> ExpireQuestions(Core& core, Change& change) {
  std::optional<std::uint64_t> before;
  WallTime next = change.now() + kLookAgain;
  while (true) {
    const auto runs = WRIT_ANSWER(core.store.RunsWithStatus(RunStatus::kAwaitingApproval, kPageOfQuestions, before));
    for (const auto& run : runs) {
      before = run.number;
      const Json document = WRIT_ANSWER(ReadDocument(core, run.id, kQuestionDocument));
      const Question question = WRIT_ANSWER(DecodeQuestion(document));
      const bool expired = change.now() >= EndOf(question);
      if (!expired && question.policy_hash == core.policy.hash) {
        next = std::min(next, EndOf(question));
        continue;
      }
      const std::string why = expired ? fmt::format("consent_timeout: nobody gave the consent that was needed until {}",
                                                    FormatTimestamp(EndOf(question)))
                                      : std::string("the policy changed while the run waited for consent; request it again");
      WRIT_ANSWER(Log(core, change, storage::DecisionKind::kRefusal, question, why, Json()));
      WRIT_ANSWER(EndWaiting(core, change, run, why));
    }
    if (runs.size() < kPageOfQuestions) break;
  }
  return std::max(Millis{1}, std::chrono::duration_cast<Millis>(next - change.now()));
}

}  // namespace writ::plane

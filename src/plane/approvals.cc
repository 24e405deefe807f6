#include "plane/approvals.h"

#include <algorithm>
#include <utility>

#include "contract/event.h"
#include "contract/object_reader.h"
#include "plane/idp.h"
#include "plane/issue_contract.h"
#include "plane/parked_run.h"
#include "plane/proposal.h"
#include "plane/run_intake.h"

namespace writ::plane {

using canon::Json;
using storage::RunStatus;

namespace {

constexpr std::size_t kReasonMax = 4096, kTokenMax = 16384, kEndedAtOnce = 256;
constexpr Millis kLookAgain = std::chrono::seconds{30};

Answer<storage::Run> FindRun(const Core& core, std::string_view run_id) {
  auto run = core.store.GetRun(run_id);
  if (run) return *std::move(run);
  if (run.error().code == Code::kNotFound) return NotFound(fmt::format("unknown run {}", run_id));
  return std::unexpected(FromError(std::move(run).error()));
}

Answer<ParkedRun> ReadWaiting(const Core& core, std::string_view run_id) {
  storage::Run run = WRIT_ANSWER(FindRun(core, run_id));
  if (run.status != RunStatus::kAwaitingApproval) return Conflict(fmt::format("run {} is not awaiting approval", run_id));
  return WRIT_ANSWER(ReadParked(core.store, std::move(run)));
}

ConsentLedger LedgerOf(const Core& core, Change& change) { return {*change, core.keys.decision_genesis, change.now()}; }

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

/// Ends a run that has no contract, or whose chain has been ended.
Result<> EndWaiting(Core& core, Change& change, const storage::Run& run, std::string_view why) {
  WRIT_TRY("end run", EndParked(LedgerOf(core, change), run, why));
  ForgetParked(core, change, run.id);
  change.AfterCommit([&core, id = run.id] {
    core.metrics.Add("runs.cancelled");
    core.ended(id);
  });
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
  ParkedRun waiting = WRIT_ANSWER(ReadWaiting(core, run_id));
  const Voter voter = WRIT_ANSWER(VoterOf(core, principal, body, change.now()));
  const Question& question = waiting.question;
  // Who asks through one door and approves through another is still the requester.
  if (body.idp_token && principal.name == question.requester_principal &&
      std::ranges::any_of(question.requirements, &policy::Consent::not_requester)) {
    return Forbidden(fmt::format("\"{}\" asked for run {} and cannot approve it", principal.name, run_id));
  }
  if (question.policy_hash != core.policy.hash)
    return Conflict(fmt::format("run {} was judged by another policy; it has to be requested again", run_id));
  const ConsentAnswer answer = AnswerFrom(question, voter, body, true, change.now());
  if (const auto refused = CheckApproval(question, waiting.answers, answer, change.now())) return RefusalFor(*refused);
  WRIT_ANSWER(KeepAnswer(LedgerOf(core, change), question, answer, ""));
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
  ForgetParked(core, change, run_id);
  WRIT_ANSWER(RememberApproved(LedgerOf(core, change), waiting));
  change.AfterCommit([&core] { core.metrics.Add("runs.approved"); });
  return Json::Of({{"runId", run_id}, {"status", storage::RunStatusName(RunStatus::kCreated)}});
}

Answer<Json> DenyRun(Core& core, Change& change, const storage::Principal& principal, std::string_view run_id,
                     const AnswerBody& body) {
  const ParkedRun waiting = WRIT_ANSWER(ReadWaiting(core, run_id));
  const Voter voter = WRIT_ANSWER(VoterOf(core, principal, body, change.now()));
  const ConsentAnswer answer = AnswerFrom(waiting.question, voter, body, false, change.now());
  const auto refused = CheckDenial(waiting.question, answer, change.now());
  if (refused && !(refused->problem == AnswerProblem::kNotApprover && principal.role == "admin")) return RefusalFor(*refused);
  const std::string why = fmt::format("denied by {}{}{}", voter.actor.id, body.reason.empty() ? "" : ": ", body.reason);
  WRIT_ANSWER(KeepAnswer(LedgerOf(core, change), waiting.question, answer, body.reason));
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
      const ParkedRun parked = WRIT_ANSWER(ReadParked(core.store, run));
      const std::string why = fmt::format("cancelled by {}", actor.id);
      WRIT_ANSWER(LogEnd(LedgerOf(core, change), parked.question, why, Json::Of({{"actor", contract::ToJson(actor)}, {"by", by}})));
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
  const ParkedRun waiting = WRIT_ANSWER(ReadWaiting(core, run_id));
  return WRIT_ANSWER(ApprovalJson(core.store, waiting, now));
}

Answer<Millis> ExpireQuestions(Core& core, Change& change) {
  const auto over = core.parked.EndedBy(change.now(), kEndedAtOnce);
  for (const auto& id : over) {
    const storage::Run run = WRIT_ANSWER(FindRun(core, id));
    const auto question = ReadQuestion(core.store, id);
    if (!question || run.status != RunStatus::kAwaitingApproval) {
      if (!question) core.log(fmt::format("run {} waits for consent and cannot be judged: {}", id, question.error().what));
      ForgetParked(core, change, id);
      continue;
    }
    const std::string why = change.now() >= EndOf(*question)
                                ? fmt::format("consent_timeout: nobody gave the consent that was needed until {}", FormatTimestamp(EndOf(*question)))
                                : std::string("the policy changed while the run waited for consent; request it again");
    WRIT_ANSWER(LogEnd(LedgerOf(core, change), *question, why));
    WRIT_ANSWER(EndWaiting(core, change, run, why));
  }
  const auto next = core.parked.NextEnd();
  if (!next || *next > change.now() + kLookAgain) return kLookAgain;
  if (*next <= change.now()) return Millis{1};
  return std::chrono::duration_cast<Millis>(*next - change.now());
}

}  // namespace writ::plane

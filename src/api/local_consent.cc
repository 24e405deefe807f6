#include "api/local_consent.h"

#include <filesystem>
#include <thread>
#include <utility>

#include "api/json_texts.h"
#include "api/repeat_command.h"
#include "plane/proposal.h"
#include "workspace/warrant_manifest.h"

namespace writ::api {
namespace {

using canon::Json;
using storage::RunStatus;

constexpr std::string_view kOrderDocument = "order";
constexpr std::size_t kPageRuns = 256;
constexpr Millis kLookEvery{200}, kCancelEvery{50};

/// The command line, as options and words that `writ run` reads back, and where it was given.
Result<Json> RecordOrder(const CreateRun& request) {
  std::error_code failed;
  const auto directory = std::filesystem::current_path(failed);
  if (failed) return Fail(Code::kUnavailable, "working directory: {}", failed.message());
  std::vector<std::string> words = OptionWords(request);
  for (auto& word : NetworkOptions(request.network)) words.push_back(std::move(word));
  words.emplace_back("--");
  words.insert(words.end(), request.argv.begin(), request.argv.end());
  return Json::Of({{"v", 1}, {"directory", workspace::ToWirePath(directory.string())}, {"words", WireTexts(words)}});
}

Result<storage::Run> FindRun(LocalState& state, std::string_view name) {
  const std::string id = WRIT_TRY("find run", state.store().ResolveRun(name));
  return state.store().GetRun(id);
}

Result<plane::ParkedRun> FindParked(LocalState& state, std::string_view name) {
  storage::Run run = WRIT_TRY("consent", FindRun(state, name));
  if (run.status != RunStatus::kAwaitingApproval) return Fail(Code::kInvalid, "run {} is not awaiting approval", run.id);
  return plane::ReadParked(state.store(), std::move(run));
}

/// One durable change in the name of consent.
Result<> Keep(LocalState& state, std::string_view run_id, const std::function<Result<>(const plane::ConsentLedger&)>& change) {
  const LocalKeys* keys = WRIT_TRY("keys", state.Keys());
  const auto transaction = WRIT_TRY("consent", state.store().Begin());
  // It was looked at before this transaction: somebody may have started or ended it since.
  const storage::Run now = WRIT_TRY("consent", state.store().GetRun(run_id));
  if (now.status != RunStatus::kAwaitingApproval) return Fail(Code::kInvalid, "run {} is not awaiting approval", now.id);
  WRIT_TRY("consent", change({*transaction, keys->decision_genesis, state.clock().Now()}));
  return transaction->Commit(storage::Durability::kDurable);
}

std::string FailureOf(const storage::Run& run) {
  const auto summary = canon::Parse(run.summary, canon::Mode::kWire);
  const std::string* why = summary ? summary->FindString("failureMessage") : nullptr;
  return why == nullptr ? fmt::format("run {} is {}", run.id, storage::RunStatusName(run.status)) : *why;
}

std::string StillNeeded(const plane::ParkedRun& parked, const plane::Judgement& judgement) {
  std::string text;
  for (const auto& one : judgement.requirements) {
    if (one.met) continue;
    text += fmt::format("{}{}: {} of {} given, by {}", text.empty() ? "" : "; ", one.requirement->requirement, one.given.size(),
                        one.requirement->required,
                        one.requirement->approvers.empty() ? "nobody, because no approver is named" : fmt::format("{}", fmt::join(one.requirement->approvers, " or ")));
  }
  return fmt::format("run {} waits for consent ({}), until {}", parked.question.run_id, text,
                     FormatTimestamp(plane::EndOf(parked.question)));
}

}  // namespace

Result<plane::ParkedRun> ParkRun(LocalState& state, const LocalKeys& keys, const CreateRun& request,
                                 const contract::Contract& draft, const policy::Decision& decision, std::string_view summary) {
  const Json proposal = plane::ProposalOf(draft);
  plane::Question question;
  question.run_id = draft.run_id;
  question.digest = WRIT_TRY("park run", plane::DigestOfProposal(proposal));
  question.policy_hash = draft.policy_hash;
  question.requester = draft.requested_by;
  question.requester_principal = request.caller.name;
  question.asked = state.clock().Now();
  question.requirements = decision.consent;
  const Json order = WRIT_TRY("park run", RecordOrder(request));
  const auto transaction = WRIT_TRY("park run", state.store().Begin());
  WRIT_TRY("park run", plane::Park({*transaction, keys.decision_genesis, question.asked}, question, proposal, summary, decision));
  WRIT_TRY("park run", transaction->PutDocument(draft.run_id, kOrderDocument, canon::Compact(order)));
  WRIT_TRY("park run", transaction->Commit(storage::Durability::kDurable));
  return FindParked(state, draft.run_id);
}

std::string HowToGoOn(const plane::ParkedRun& parked) {
  const plane::Judgement judgement = plane::Judge(parked.question, parked.answers, parked.question.asked);
  return fmt::format("{}; see `writ pending --full`, answer with `writ approve {}` or `writ deny {}`, then start it with "
                     "`writ run --resume {}`",
                     StillNeeded(parked, judgement), parked.question.run_id, parked.question.run_id, parked.question.run_id);
}

Result<> EndParkedRun(LocalState& state, const storage::Run& run, std::string_view why) {
  const plane::ParkedRun parked = WRIT_TRY("end run", plane::ReadParked(state.store(), run));
  return Keep(state, run.id, [&](const plane::ConsentLedger& ledger) -> Result<> {
    WRIT_TRY("end run", plane::LogEnd(ledger, parked.question, why));
    return plane::EndParked(ledger, run, why);
  });
}

Result<Consent> LookAtConsent(LocalState& state, std::string_view run_id) {
  Consent consent;
  const storage::Run run = WRIT_TRY("consent", FindRun(state, run_id));
  if (run.status == RunStatus::kCancelled) {
    consent.state = Consent::State::kOver;
    consent.why = FailureOf(run);
    return consent;
  }
  consent.parked = WRIT_TRY("consent", FindParked(state, run.id));
  const plane::Question& question = consent.parked.question;
  const plane::Judgement judgement = plane::Judge(question, consent.parked.answers, state.clock().Now());
  switch (judgement.state) {
    case plane::ConsentState::kOpen: consent.why = StillNeeded(consent.parked, judgement); break;
    case plane::ConsentState::kGranted:
      consent.state = Consent::State::kGranted;
      consent.granted = plane::GrantedBy(question, judgement);
      break;
    case plane::ConsentState::kExpired:
      consent.state = Consent::State::kOver;
      consent.why = fmt::format("consent_timeout: nobody gave the consent that was needed until {}", FormatTimestamp(plane::EndOf(question)));
      if (state.writable()) WRIT_TRY("consent", EndParkedRun(state, run, consent.why));
      break;
  }
  return consent;
}

Result<Consent> AwaitConsent(LocalState& state, std::string_view run_id, RunControl& control) {
  for (;;) {
    Consent consent = WRIT_TRY("consent", LookAtConsent(state, run_id));
    if (consent.state != Consent::State::kWaiting) return consent;
    for (Millis waited{0}; waited < kLookEvery; waited += kCancelEvery) {
      if (control.cancelled()) {
        consent.state = Consent::State::kOver;
        consent.why = "cancelled while it waited for consent";
        WRIT_TRY("consent", EndParkedRun(state, consent.parked.run, consent.why));
        return consent;
      }
      std::this_thread::sleep_for(kCancelEvery);
    }
  }
}

Result<std::vector<Json>> PendingRuns(LocalState& state) {
  std::vector<Json> pending;
  std::optional<std::uint64_t> before;
  for (;;) {
    const auto runs = WRIT_TRY("pending", state.store().RunsWithStatus(RunStatus::kAwaitingApproval, kPageRuns, before));
    for (const auto& run : runs) {
      before = run.number;
      const Consent consent = WRIT_TRY("pending", LookAtConsent(state, run.id));
      if (consent.state == Consent::State::kOver) continue;
      pending.push_back(WRIT_TRY("pending", plane::ApprovalJson(state.store(), consent.parked, state.clock().Now())));
    }
    if (runs.size() < kPageRuns) return pending;
  }
}

Result<Json> ApprovalOf(LocalState& state, std::string_view run) {
  const plane::ParkedRun parked = WRIT_TRY("approval", FindParked(state, run));
  return plane::ApprovalJson(state.store(), parked, state.clock().Now());
}

Result<ConsentResult> AnswerRun(LocalState& state, const ConsentAnswer& answer) {
  const plane::ParkedRun parked = WRIT_TRY("answer", FindParked(state, answer.run));
  const plane::Question& question = parked.question;
  const WallTime now = state.clock().Now();
  const plane::ConsentAnswer given{.actor = {"human", answer.caller.name},
                                   .voter = "local:" + answer.caller.name,
                                   .digest = answer.digest.empty() ? question.digest : answer.digest,
                                   .policy_hash = question.policy_hash,
                                   .approves = answer.approve,
                                   .at = now};
  const auto refused = answer.approve ? plane::CheckApproval(question, parked.answers, given, now)
                                      : plane::CheckDenial(question, given, now);
  if (refused) {
    const bool who = refused->problem == plane::AnswerProblem::kNotApprover || refused->problem == plane::AnswerProblem::kRequester;
    return Fail(who ? Code::kDenied : Code::kInvalid, "{}", refused->text);
  }
  ConsentResult result{question.run_id, std::string(storage::RunStatusName(RunStatus::kAwaitingApproval))};
  const auto kept = Keep(state, question.run_id, [&](const plane::ConsentLedger& ledger) -> Result<> {
    WRIT_TRY("answer", plane::KeepAnswer(ledger, question, given, answer.reason));
    if (answer.approve) {
      std::vector<plane::ConsentAnswer> answers = parked.answers;
      answers.push_back(given);
      if (plane::Judge(question, answers, now).state != plane::ConsentState::kGranted) return {};
      result.status = "approved";
      return plane::RememberApproved(ledger, parked);
    }
    result.status = storage::RunStatusName(RunStatus::kCancelled);
    return plane::EndParked(ledger, parked.run, fmt::format("denied by {}{}{}", answer.caller.name,
                                                   answer.reason.empty() ? "" : ": ", answer.reason));
  });
  if (!kept) return std::unexpected(kept.error());
  return result;
}

Result<RecordedOrder> OrderOf(LocalState& state, std::string_view run) {
  const storage::Run row = WRIT_TRY("resume", FindRun(state, run));
  if (row.status == RunStatus::kCancelled) return Fail(Code::kDenied, "run {} will not start: {}", row.id, FailureOf(row));
  const plane::ParkedRun parked = WRIT_TRY("resume", FindParked(state, row.id));
  const auto text = WRIT_TRY("resume", state.store().GetDocument(parked.run.id, kOrderDocument));
  if (!text) return Fail(Code::kCorrupt, "run {} has no document \"{}\"", parked.run.id, kOrderDocument);
  const Json json = WRIT_TRY("resume", canon::Parse(*text, canon::Mode::kStrict));
  RecordedOrder order{parked.run.id, {}, {}};
  const std::string* directory = json.FindString("directory");
  const Json* words = json.Find("words");
  if (directory == nullptr || words == nullptr || !words->is_array()) return Fail(Code::kCorrupt, "the recorded request of run {} cannot be read", order.run_id);
  order.directory = WRIT_TRY("resume", workspace::FromWirePath(*directory));
  for (const Json& word : words->array()) {
    if (!word.is_string()) return Fail(Code::kCorrupt, "the recorded request of run {} cannot be read", order.run_id);
    order.words.push_back(WRIT_TRY("resume", workspace::FromWirePath(word.string())));
  }
  return order;
}

}  // namespace writ::api

#include "api/local_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "api/approval_binding.h"
#include "api/check_request.h"
#include "api/draft_contract.h"
#include "api/local_consent.h"
#include "api/prepare_run.h"
#include "api/repeat_command.h"
#include "api/rule_desk.h"
#include "api/run_network.h"
#include "api/run_queries.h"
#include "api/run_secrets.h"
#include "base/ids.h"
#include "base/shell_quote.h"
#include "contract/event.h"
#include "contract/hash.h"
#include "plane/countersign.h"
#include "plane/decision_log.h"
#include "plane/issue_contract.h"
#include "plane/proposal.h"
#include "policy/evaluate.h"
#include "policy/load.h"
#include "session/blob_intake.h"
#include "session/receipt_builder.h"
#include "session/run_engine.h"
#include "session/run_interception.h"
#include "storage/run_lock.h"
#include "workspace/release.h"

namespace writ::api {
namespace {

using canon::Json;

constexpr std::size_t kListedMax = 100;  // changes and undeclared files in a result
constexpr std::size_t kCommandUnitsMax = 4096;

/// Joins what the caller wants to what the engine asks.
class Monitor final : public session::RunMonitor {
 public:
  /// All of it is borrowed but the name.
  Monitor(RunControl& control, RuleDesk& desk, int runs_fd, std::string kill_flag)
      : control_(control), desk_(desk), runs_fd_(runs_fd), kill_flag_(std::move(kill_flag)) {}

  session::CancelledBy Poll(isolation::Session* guest) override {
    const auto now = std::chrono::steady_clock::now();
    if (guest != nullptr) {
      control_.OnTick(std::chrono::duration_cast<Millis>(now - started_));
      if (const auto size = control_.TakeSize()) guest->Resize(*size);
    } else {
      started_ = now;
    }
    if (control_.cancelled()) return session::CancelledBy::kCaller;
    if (::faccessat(runs_fd_, kill_flag_.c_str(), F_OK, 0) == 0) return session::CancelledBy::kKillRequest;
    return session::CancelledBy::kNobody;
  }
  void OnGuestEnd() override { control_.OnGuestEnd(); }
  std::optional<session::RuleUpdate> NewRules() override { return desk_.Next(); }
  void OnRulesApplied(const Result<>& applied) override { desk_.Applied(applied); }

 private:
  RunControl& control_;
  RuleDesk& desk_;
  const int runs_fd_;
  const std::string kill_flag_;
  MonoTime started_ = std::chrono::steady_clock::now();
};

/// Holds a run's lock from before anything of it exists until its receipt is stored, then removes what only a
/// living run needs.
class LiveRun {
 public:
  static Result<LiveRun> Begin(LocalState& state, std::string_view run_id) {
    auto runs = WRIT_TRY("runs directory", state.directory().Subdirectory(kRunsDirectory));
    auto lock = WRIT_TRY("lock run", storage::RunLock::TryTake(state.directory(), run_id));
    if (!lock) return Fail(Code::kInternal, "run {} is already locked by somebody else", run_id);
    return LiveRun(std::move(runs), *std::move(lock), run_id);
  }
  LiveRun(LiveRun&&) = default;
  LiveRun& operator=(LiveRun&&) = delete;
  ~LiveRun() {
    if (!lock_) return;
    ::unlinkat(runs_.get(), KillFlagName(run_id_).c_str(), 0);  // absent unless somebody asked for the end
    ::unlinkat(runs_.get(), RuleRequestName(run_id_).c_str(), 0);
    ::unlinkat(runs_.get(), LiveLogName(run_id_).c_str(), 0);   // absent after a short run; what it had is stored now
    // A lock file that stays is harmless: nobody holds it, and garbage collection removes it.
    if (ended_) static_cast<void>(std::move(*lock_).Retire());
  }

  int runs_fd() const { return runs_.get(); }
  /// There is no contract any more that wants a receipt: nobody needs the lock file.
  void Ended() { ended_ = true; }
  /// There may be a contract from here on: if this process fails, a later one needs to find the lock free.
  void Owes() { ended_ = false; }

 private:
  LiveRun(sys::UniqueFd runs, storage::RunLock lock, std::string_view run_id)
      : runs_(std::move(runs)), lock_(std::move(lock)), run_id_(run_id) {}
  LiveRun(const LiveRun&) = delete;

  sys::UniqueFd runs_;
  std::optional<storage::RunLock> lock_;
  std::string run_id_;
  bool ended_ = true;
};

RunSummary SummaryOf(const CreateRun& request, const session::Materialised& given,
                     const std::vector<std::string>& options) {
  RunSummary summary;
  summary.command = contract::FitText(ShellQuote(request.argv), kCommandUnitsMax);
  summary.workspace = given.workspace_path;
  summary.options = options;
  return summary;
}

void FillFacts(RunResult& result, const session::RunEnd& end) {
  result.outcome = end.outcome;
  result.guarantees = end.guarantees;
  result.exit_code = end.exit_code;
  result.problem = end.problem;
  const auto& changes = end.results.changes.changes;
  result.files_changed = changes.size();
  for (std::size_t i = 0; i < std::min(changes.size(), kListedMax); ++i)
    result.changes.push_back(
        {changes[i].path, std::string(workspace::ChangeKindName(changes[i].kind)), changes[i].danger});
  const auto& collection = end.results.collection;
  for (const auto& output : collection.outputs)
    result.outputs.push_back({output.name, output.sha256, output.bytes, ""});
  for (std::size_t i = 0; i < std::min(collection.undeclared.size(), kListedMax); ++i)
    result.undeclared.push_back(collection.undeclared[i]);
  result.undeclared_count = collection.undeclared_count;
  for (const auto& missing : collection.missing) result.missing.push_back(missing.path);
  result.workspace_changed_meanwhile = !end.results.drift.paths.empty();
}

/// Writes released outputs to the directory the caller named.
Result<> ReleaseTo(const std::string& directory, const workspace::Collection& collection, storage::BlobStore& blobs,
                   std::vector<OutputFact>& facts) {
  WRIT_TRY("--out-dir", sys::MakeDirectories(directory, 0755));
  const auto fd = WRIT_TRY("--out-dir", sys::OpenDirectory(directory));
  session::BlobOutlet outlet(blobs);
  WRIT_TRY("--out-dir " + directory, workspace::Release(collection.outputs, outlet, fd));
  for (auto& fact : facts) fact.written_to = directory + "/" + fact.name;
  return {};
}

/// The judged, contracted and locked run, carried to its receipt.
Result<RunResult> Carry(LocalState& state, const CreateRun& request, Prepared prepared, plane::IssuedRun issued,
                        LiveRun& live, isolation::OutputSink& sink, RunControl& control) {
  const LocalKeys* keys = WRIT_TRY("keys", state.Keys());
  const session::FaultHook& fault = state.options().fault_hook;
  RunResult result;
  result.run_id = issued.log.run_id();
  control.OnContract(result.run_id);

  session::RunOrder order{.given = std::move(prepared.given),
                          .spec = std::move(prepared.spec),
                          .outputs = std::move(prepared.outputs),
                          .execution_hash = WRIT_TRY("execution", ExecutionHashOf(request)),
                          .redaction = std::move(prepared.redaction),
                          .requester = {"human", request.caller.name},
                          .live_log = {live.runs_fd(), LiveLogName(result.run_id)}};
  order.egress = WRIT_TRY("network", session::EgressOrderOf(issued.contract.json));
  order.spec.doors = order.egress.has_value();
  if (order.egress) order.egress->upstream = state.options().upstream_proxy;
  if (order.egress && session::NeedsInterception(order.egress->rules, prepared.edge))
    order.egress->interception = WRIT_TRY("interception", session::MakeInterception(std::move(prepared.edge), state.clock().Now(), order.spec));
  RunSummary summary = SummaryOf(request, order.given, prepared.options);

  session::RunEngine engine({state.blobs(), state.clock(), *prepared.backend, prepared.place,
                             fault});
  const Json* extension = issued.contract.json.Find("writ");
  const bool approved = extension != nullptr && extension->Find("approval") != nullptr;
  RuleDesk desk(state, live.runs_fd(), result.run_id, request.network, approved, prepared.ceiling, prepared.policy_hash);
  Monitor monitor(control, desk, live.runs_fd(), KillFlagName(result.run_id));
  auto end = WRIT_TRY("run", engine.Carry(std::move(order), issued.log, sink, monitor));

  summary.exit_code = end.exit_code;
  summary.ended_at = FormatTimestamp(state.clock().Now());
  summary.termination = isolation::TerminationName(end.outcome.how);
  const session::Countersigner countersign = [&](Json& receipt, const session::RunFacts& facts) {
    return plane::Countersign(receipt, issued.contract.json, issued.contract.hash, facts, keys->runner_pem,
                              keys->plane);
  };
  result.receipt = WRIT_TRY("run " + result.run_id,
                            session::EndRun({state.store(), state.clock(), issued.contract.json, issued.contract.hash,
                                             keys->runner, countersign, fault},
                                            issued.log, end.ending, EncodeSummary(summary)));
  live.Ended();
  result.contract = std::move(issued.contract.json);
  result.status = storage::RunStatusName(end.ending.status);
  FillFacts(result, end);
  if (!request.out_dir.empty() && !result.outputs.empty()) {
    auto released = ReleaseTo(request.out_dir, end.results.collection, state.blobs(), result.outputs);
    if (!released && result.exit_code == 0) {
      result.exit_code = 125;
      result.problem = fmt::format("the run completed, but its outputs could not be written: {}; fetch them with "
                                   "`writ get {} -o DIR`", released.error().what, result.run_id);
    } else if (!released) {
      result.problem = released.error().what;
    }
  }
  return result;
}

/// Records in the decision log that something else than policy stood in the way. Returns the error itself, or that
/// of the log: a refusal that cannot be recorded is worse news.
Error Refused(LocalState& state, const LocalKeys& keys, const plane::Judged& judged, Error why) {
  auto logged = plane::LogRefusal(state.store(), keys.decision_genesis, why.what, judged, state.clock().Now());
  if (!logged) return std::move(logged).error().Doing(fmt::format("log the refusal \"{}\"", why.what));
  return why;
}

}  // namespace

Result<Preview> PreviewRun(LocalState& state, const CreateRun& request) {
  WRIT_TRY("run", CheckRequest(request));
  const auto policy = WRIT_TRY("policy", LoadPolicy(state, request));
  const auto decision = policy::Evaluate(policy, ToPolicyRequest(request));
  Preview preview;
  preview.decision = ToView(decision, policy);
  preview.tier = request.tier;

  auto prepared = Prepare(state, request, "preview", false);
  if (!prepared && prepared.error().code != Code::kUnavailable) return std::unexpected(std::move(prepared).error());
  session::Materialised nothing;
  if (!prepared) {
    preview.refusal = prepared.error().what;
    nothing = WRIT_TRY("preview", session::Materialise({}, {}, "preview", state.clock()));
  } else if (const auto accepted = prepared->backend->Accepts(prepared->spec); !accepted) {
    preview.refusal = accepted.error().what;
  }
  const session::Materialised& given = prepared ? prepared->given : nothing;
  preview.workspace_files = static_cast<std::size_t>(
      std::count_if(given.manifest.entries.begin(), given.manifest.entries.end(),
                    [](const auto& entry) { return entry.state.type == workspace::EntryType::kFile; }));
  preview.workspace_bytes = given.manifest.bytes;

  auto draft = WRIT_TRY("contract", DraftContract(request, given, policy, "run_preview"));
  draft.issued_at = state.clock().Now();
  draft.expires_at = draft.issued_at + contract::kContractLife;
  const auto key_id = WRIT_TRY("contract", state.PlaneKeyIdIfAny());
  draft.issuer_key_id = key_id.value_or("");
  draft.writ.Remove("nonce");
  preview.contract = contract::ToJson(draft);
  return preview;
}

namespace {

/// What is known when a run may start.
struct Judgement {
  const policy::Policy& policy;
  const policy::Decision& decision;
  plane::Judged judged;
  std::optional<plane::Granted> granted;  ///< of a run that was parked
  canon::Json proposal;                   ///< likewise: what was approved
};

/// Starts an allowed run, or one that was parked and approved, and carries it to its end. nullopt: what would run is not
/// what was approved; nothing was done.
Result<std::optional<RunResult>> StartRun(LocalState& state, const LocalKeys& keys, CreateRun& request, Judgement judgement,
                                          const std::string& run_id, isolation::OutputSink& sink, RunControl& control) {
  auto live = WRIT_TRY("begin run", LiveRun::Begin(state, run_id));
  auto prepared = Prepare(state, request, run_id, true);
  if (prepared) {
    if (auto accepted = prepared->backend->Accepts(prepared->spec); !accepted)
      prepared = std::unexpected(std::move(accepted).error());
  }
  if (!prepared) return std::unexpected(Refused(state, keys, judgement.judged, std::move(prepared).error()));

  prepared->ceiling = judgement.policy.egress;
  prepared->policy_hash = judgement.policy.hash;
  auto draft = WRIT_TRY("contract", DraftContract(request, prepared->given, judgement.policy, run_id));
  if (judgement.granted) {
    const Json* writ = judgement.proposal.Find("writ");
    if (writ != nullptr && writ->Find("nonce") != nullptr) draft.writ.Set("nonce", *writ->Find("nonce"));
    WRIT_TRY("contract", BindToApproval(draft, request, prepared->given, keys.plane));
    const std::string digest = WRIT_TRY("contract", plane::DigestOfProposal(plane::ProposalOf(draft)));
    if (digest != judgement.granted->question.digest) return std::nullopt;
  }
  prepared->spec.stdin_fd = std::move(request.stdin_fd);
  const std::string summary = EncodeSummary(SummaryOf(request, prepared->given, prepared->options));
  std::string probe;
  if (state.options().probe_digest) probe = WRIT_TRY("probe report", state.options().probe_digest());
  const Json host = session::HostFacts(probe);
  auto begun = BegunEvents(draft, prepared->given);
  live.Owes();
  auto issued = plane::IssueContract({state.store(), state.clock(), keys.plane, keys.plane_pem, keys.decision_genesis,
                                      keys.runner_id, keys.runner.key_id(), host, std::move(begun),
                                      std::move(judgement.granted)},
                                     std::move(draft), judgement.decision, summary);
  if (!issued) {
    live.Ended();
    return std::unexpected(std::move(issued).error().Doing("contract"));
  }
  session::Reach(state.options().fault_hook, session::fault::kContracted);
  return Carry(state, request, *std::move(prepared), *std::move(issued), live, sink, control);
}

RunResult NotStarted(DecisionView decision, std::string run_id, std::string_view status, int exit_code, std::string problem) {
  RunResult result;
  result.decision = std::move(decision);
  result.run_id = std::move(run_id);
  result.status = status;
  result.exit_code = exit_code;
  result.problem = std::move(problem);
  return result;
}

/// Parks a run that needs consent. Files are looked at, nothing is staged and no secret is fetched.
Result<plane::ParkedRun> ParkOne(LocalState& state, const LocalKeys& keys, const CreateRun& request, const policy::Policy& policy,
                                 const policy::Decision& decision, const plane::Judged& judged) {
  const std::string run_id = MakeId("run_");
  auto prepared = Prepare(state, request, run_id, false);
  if (prepared) {
    if (auto accepted = prepared->backend->Accepts(prepared->spec); !accepted)
      prepared = std::unexpected(std::move(accepted).error());
  }
  if (!prepared) return std::unexpected(Refused(state, keys, judged, std::move(prepared).error()));
  auto draft = WRIT_TRY("contract", DraftContract(request, prepared->given, policy, run_id));
  WRIT_TRY("contract", BindToApproval(draft, request, prepared->given, keys.plane));
  return ParkRun(state, keys, request, draft, decision, EncodeSummary(SummaryOf(request, prepared->given, prepared->options)));
}

constexpr int kDenied = 122, kNeedsConsent = 123;

/// Starts a parked run once it is approved. nullopt: what would run, or the policy, has changed; the old question is over.
Result<std::optional<RunResult>> Resume(LocalState& state, const LocalKeys& keys, CreateRun& request, const policy::Policy& policy,
                                        const std::string& run_id, isolation::OutputSink& sink, RunControl& control) {
  Consent consent = WRIT_TRY("consent", request.wait_for_consent ? AwaitConsent(state, run_id, control) : LookAtConsent(state, run_id));
  policy::Decision decision = plane::DecisionOf(consent.parked.question);
  const auto view = ToView(decision, policy);
  if (consent.state == Consent::State::kWaiting)
    return NotStarted(view, run_id, storage::RunStatusName(storage::RunStatus::kAwaitingApproval), kNeedsConsent, consent.why);
  if (consent.state == Consent::State::kOver) {
    const bool denied = consent.why.starts_with("denied by ");
    return NotStarted(view, run_id, storage::RunStatusName(storage::RunStatus::kCancelled), denied ? kDenied : kNeedsConsent, consent.why);
  }
  std::optional<RunResult> result;
  if (policy.hash == consent.parked.question.policy_hash) {
    Judgement judgement{policy, decision, {run_id, consent.parked.question.digest, policy.hash}, std::move(consent.granted),
                        consent.parked.proposal};
    result = WRIT_TRY("run", StartRun(state, keys, request, std::move(judgement), run_id, sink, control));
  }
  if (result) {
    result->decision = view;
    return result;
  }
  WRIT_TRY("consent", EndParkedRun(state, consent.parked.run, "what would run, or the policy, has changed since it was approved"));
  return std::nullopt;
}

}  // namespace

Result<RunResult> RunOne(LocalState& state, CreateRun request, isolation::OutputSink& sink, RunControl& control) {
  const LocalKeys* keys = WRIT_TRY("keys", state.Keys());
  plane::Judged judged{"", WRIT_TRY("request", DigestOfRequest(request)), ""};
  auto policy = LoadPolicy(state, request);
  if (!policy) return std::unexpected(Refused(state, *keys, judged, std::move(policy).error().Doing("policy")));
  judged.policy_hash = policy->hash;
  const auto decision = policy::Evaluate(*policy, ToPolicyRequest(request));
  const DecisionView view = ToView(decision, *policy);
  std::string before;  // said first when an approved run is asked about again
  if (!request.resume.empty()) {
    const std::string run_id = WRIT_TRY("resume", state.store().ResolveRun(request.resume));
    request.resume.clear();
    auto resumed = WRIT_TRY("resume", Resume(state, *keys, request, *policy, run_id, sink, control));
    if (resumed) return *std::move(resumed);
    before = fmt::format("what would run, or the policy, has changed since run {} was approved; it is asked about again: ", run_id);
  }
  if (decision.verdict == policy::Verdict::kDeny) {
    WRIT_TRY("log the decision",
             plane::LogDecision(state.store(), keys->decision_genesis, decision, judged, state.clock().Now()));
    return NotStarted(view, "", "", kDenied, before + decision.reason);
  }
  if (decision.verdict == policy::Verdict::kNeedsApproval) {
    const plane::ParkedRun parked = WRIT_TRY("consent", ParkOne(state, *keys, request, *policy, decision, judged));
    const std::string run_id = parked.question.run_id, why = before + HowToGoOn(parked);
    control.OnParked(run_id, why);
    if (!request.wait_for_consent)
      return NotStarted(view, run_id, storage::RunStatusName(storage::RunStatus::kAwaitingApproval), kNeedsConsent, why);
    auto resumed = WRIT_TRY("consent", Resume(state, *keys, request, *policy, run_id, sink, control));
    if (resumed) return *std::move(resumed);
    return NotStarted(view, run_id, storage::RunStatusName(storage::RunStatus::kCancelled), kNeedsConsent,
                      fmt::format("what would run has changed while run {} waited for consent; ask again", run_id));
  }
  auto carried = WRIT_TRY("run", StartRun(state, *keys, request, {*policy, decision, judged, std::nullopt, {}},
                                          MakeId("run_"), sink, control));
  carried->decision = view;
  return *std::move(carried);
}

}  // namespace writ::api

#include "api/local_plane.h"

#include "api/check_request.h"
#include "api/explain_run.h"
#include "api/live_output.h"
#include "api/local_consent.h"
#include "api/local_run.h"
#include "api/local_state.h"
#include "api/recover_runs.h"
#include "api/rule_desk.h"
#include "api/run_evidence.h"
#include "api/run_files.h"
#include "api/run_queries.h"
#include "api/run_secrets.h"

namespace writ::api {

class LocalPlane::Impl {
 public:
  explicit Impl(LocalPlaneOptions given) : options(std::move(given)), state(options) {}

  /// For calls that look at runs: what a crash left is mended first, where it may be.
  Result<> OpenAndRecover() {
    WRIT_TRY("open", state.OpenToRead());
    // Mending is not what was asked for: a run that cannot be ended shows as interrupted.
    if (state.writable()) static_cast<void>(RecoverRuns(state));
    return {};
  }

  const LocalPlaneOptions options;
  LocalState state;
};

std::unique_ptr<LocalPlane> LocalPlane::Create(LocalPlaneOptions options) {
  return std::unique_ptr<LocalPlane>(new LocalPlane(std::make_unique<Impl>(std::move(options))));
}
LocalPlane::LocalPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalPlane::~LocalPlane() = default;

Result<Preview> LocalPlane::DryRun(const CreateRun& request) { return PreviewRun(impl_->state, request); }

Result<RunResult> LocalPlane::Run(CreateRun request, isolation::OutputSink& sink, RunControl& control) {
  WRIT_TRY("run", CheckRequest(request));
  WRIT_TRY("run", impl_->state.OpenToWrite());
  // Another run's damage is not this run's business; `writ list` and `writ verify` show it.
  static_cast<void>(RecoverRuns(impl_->state));
  return RunOne(impl_->state, std::move(request), sink, control);
}

Result<std::vector<canon::Json>> LocalPlane::Pending() {
  const bool exists = WRIT_TRY("pending", impl_->state.Exists());
  if (!exists) return std::vector<canon::Json>();
  WRIT_TRY("pending", impl_->state.OpenToRead());
  return PendingRuns(impl_->state);
}

Result<canon::Json> LocalPlane::Approval(std::string_view run) {
  WRIT_TRY("approval", impl_->state.OpenToRead());
  return ApprovalOf(impl_->state, run);
}

Result<ConsentResult> LocalPlane::Answer(const ConsentAnswer& answer) {
  WRIT_TRY("answer", impl_->state.OpenToRead());
  if (!impl_->state.writable()) return Fail(Code::kDenied, "the state directory is read-only");
  return AnswerRun(impl_->state, answer);
}

Result<RecordedOrder> LocalPlane::Order(std::string_view run) {
  WRIT_TRY("resume", impl_->state.OpenToRead());
  return OrderOf(impl_->state, run);
}

Result<> LocalPlane::Kill(std::string_view run, Deadline deadline) {
  WRIT_TRY("kill", impl_->state.OpenToRead());
  if (!impl_->state.writable()) return Fail(Code::kDenied, "the state directory is read-only");
  return KillRun(impl_->state, run, deadline);
}

Result<std::string> LocalPlane::Resolve(std::string_view run) {
  WRIT_TRY("resolve", impl_->state.OpenToRead());
  return impl_->state.store().ResolveRun(run);
}

Result<std::vector<RunRow>> LocalPlane::List(std::size_t limit, bool live_only) {
  const bool exists = WRIT_TRY("list", impl_->state.Exists());
  if (!exists) return std::vector<RunRow>();
  WRIT_TRY("list", impl_->OpenAndRecover());
  return ListRuns(impl_->state, limit, live_only);
}

Result<RunDetails> LocalPlane::Show(std::string_view run) {
  WRIT_TRY("show", impl_->OpenAndRecover());
  return ShowRun(impl_->state, run);
}

Result<std::vector<canon::Json>> LocalPlane::Events(std::string_view run) {
  WRIT_TRY("events", impl_->state.OpenToRead());
  return RunEvents(impl_->state, run);
}

Result<RuleAnswer> LocalPlane::ChangeRule(std::string_view run, const RuleChange& change, Deadline deadline) {
  WRIT_TRY("net", impl_->state.OpenToRead());
  if (!impl_->state.writable()) return Fail(Code::kDenied, "the state directory is read-only");
  return ChangeRunRule(impl_->state, run, change, deadline);
}

Result<Explanation> LocalPlane::Explain(std::string_view run) {
  WRIT_TRY("explain", impl_->OpenAndRecover());
  return ExplainRun(impl_->state, run);
}

Result<std::vector<ArtifactRow>> LocalPlane::Artifacts(std::string_view run) {
  WRIT_TRY("artifacts", impl_->state.OpenToRead());
  return RunArtifacts(impl_->state, run);
}

Result<> LocalPlane::ReadArtifact(const ArtifactRow& artifact, const Writer& write) {
  WRIT_TRY("artifact", impl_->state.OpenToRead());
  return CopyArtifact(impl_->state, artifact, write);
}

Result<> LocalPlane::ReadKind(std::string_view run, std::string_view kind, const Writer& write, Until until) {
  WRIT_TRY(kind, impl_->OpenAndRecover());
  if (kind == "diff") return CopyKind(impl_->state, run, kind, write);
  return CopyStream(impl_->state, run, kind, write, until);
}

Result<canon::Json> LocalPlane::Bundle(std::string_view run) {
  WRIT_TRY("bundle", impl_->OpenAndRecover());
  return BundleOf(impl_->state, run);
}

Result<VerifyReport> LocalPlane::Verify(std::string_view run) {
  WRIT_TRY("verify", impl_->OpenAndRecover());
  return VerifyRun(impl_->state, run);
}

Result<ApplyResult> LocalPlane::Apply(const ApplyRequest& request) {
  WRIT_TRY("apply", impl_->OpenAndRecover());
  return ApplyRun(impl_->state, request);
}

Result<std::vector<OutputFact>> LocalPlane::GetOutputs(std::string_view run, std::string_view name,
                                                       const std::string& directory) {
  WRIT_TRY("get", impl_->OpenAndRecover());
  return CopyOutputs(impl_->state, run, name, directory);
}

Result<std::vector<canon::Json>> LocalPlane::Decisions(std::size_t limit) {
  const bool exists = WRIT_TRY("decisions", impl_->state.Exists());
  if (!exists) return std::vector<canon::Json>();
  WRIT_TRY("decisions", impl_->state.OpenToRead());
  return ListDecisions(impl_->state, limit);
}

Result<> LocalPlane::VerifyDecisions() {
  WRIT_TRY("decisions", impl_->state.OpenToRead());
  const LocalKeys* keys = WRIT_TRY("decisions", impl_->state.Keys());
  WRIT_TRY("decisions", storage::VerifyDecisions(impl_->state.store(), keys->decision_genesis));
  return {};
}

Result<std::vector<KeyView>> LocalPlane::Keys() {
  WRIT_TRY("keys", impl_->state.OpenToWrite());
  const LocalKeys* keys = WRIT_TRY("keys", impl_->state.Keys());
  return std::vector<KeyView>{
      {"plane", keys->plane.key_id(), keys->plane_pem, impl_->state.directory().File("keys/plane.key.pem")},
      {"runner", keys->runner.key_id(), keys->runner_pem, impl_->state.directory().File("keys/runner.key.pem")}};
}

Result<std::vector<SecretView>> LocalPlane::Secrets() { return ListSecrets(impl_->state); }

Result<> LocalPlane::SetSecrets(std::vector<SecretDraft> drafts) { return api::SetSecrets(impl_->state, std::move(drafts)); }

Result<> LocalPlane::RemoveSecret(std::string_view name) { return api::RemoveSecret(impl_->state, name); }

Result<GcResult> LocalPlane::Gc(const GcRequest& request) {
  WRIT_TRY("gc", impl_->state.OpenToWrite());
  static_cast<void>(RecoverRuns(impl_->state));
  return CollectGarbage(impl_->state, request);
}

Result<std::vector<Recovered>> LocalPlane::Recover() {
  const bool exists = WRIT_TRY("recover", impl_->state.Exists());
  if (!exists) return std::vector<Recovered>();
  WRIT_TRY("recover", impl_->state.OpenToWrite());
  return RecoverRuns(impl_->state);
}

}  // namespace writ::api

// `writ run --plane`: a local command's manners for a run that happens elsewhere.
#include <unistd.h>

#include "api/check_request.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/content_json.h"
#include "cli/plane_ask.h"
#include "cli/plane_follow.h"
#include "cli/plane_report.h"
#include "cli/plane_request.h"
#include "cli/plane_result.h"
#include "cli/plane_workspace.h"
#include "cli/run_options.h"
#include "cli/run_report.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/user_name.h"
#include "client/input_files.h"
#include "client/output_files.h"

namespace writ::cli {
namespace {

/// Everything after the request was read and the plane opened.
class PlaneRun {
 public:
  PlaneRun(Context& context, PlaneLink& link, AskOptions options, RunOptions run)
      : context_(context), link_(link), options_(std::move(options)), run_(std::move(run)) {}

  int Run(const std::vector<client::Upload>& uploads) {
    const Requested requested = SendRequest(context_, link_, options_, uploads);
    if (requested.exit) return *requested.exit;
    run_id_ = requested.run.run_id;
    const bool waits = options_.wait || IsTerminal(STDERR_FILENO);
    if (requested.run.status == "awaiting_approval" && !waits) return NeedsApproval();
    return Drive();
  }

 private:
  int NeedsApproval() {
    Warn(context_, ApprovalHint(link_, run_id_));
    api::RunResult result;
    result.run_id = run_id_;
    result.status = "awaiting_approval";
    result.exit_code = kNeedsApprovalStatus;
    result.decision = PlaneDecision(api::Verdict::kNeedsApproval, {}, link_.target().url);
    if (context_.json() && PrintJson(context_, RunJson(result)) != 0) return kCannotRunStatus;
    return kNeedsApprovalStatus;
  }

  LiveOutputOptions OutputOptions(api::RunControl& control) const {
    LiveOutputOptions live;
    live.stdout_filter = IsTerminal(STDOUT_FILENO) ? Filter::kTerminal : Filter::kNone;
    live.stderr_filter = IsTerminal(STDERR_FILENO) ? Filter::kTerminal : Filter::kNone;
    live.stdout_limit = FormatSize(run_.request.limits.stdout_bytes);
    live.stderr_limit = FormatSize(run_.request.limits.stderr_bytes);
    live.on_reader_gone = [&control] { control.Cancel(); };
    live.stop = [&control] { return control.cancelled(); };
    return live;
  }

  int Drive() {
    api::RunControl control;
    LiveOutput live(OutputOptions(control));
    const SignalScope signals(control, -1);
    RunFollower follower(link_, control);
    FollowOptions options;
    if (!run_.json) options.live = &live;
    options.changed = [this](const client::RunView& view) {
      if (view.status == "awaiting_approval") Warn(context_, ApprovalHint(link_, run_id_));
    };
    const auto followed = follower.Follow(run_id_, options);
    if (!followed) return Lost(followed.error());
    if (!followed->note.empty()) Warn(context_, followed->note);
    if (followed->how != client::WaitEnd::kEnded) {
      Warn(context_, fmt::format("{0} has not ended yet; see: writ wait {0}{1}", run_id_, link_.PlaneOption()));
      return kCancelledStatus;
    }
    const auto evidence = client::FetchEvidence(link_.plane(), run_id_, link_.trust(), &options_.ask, SystemClock{});
    if (!evidence) return EndedWithout(evidence.error(), followed->run);
    api::RunResult result = ResultOf(*evidence);
    if (!run_.json && evidence->ok()) {
      if (const auto completed = follower.CompleteOutput(*evidence, live); !completed) {
        Warn(context_, fmt::format("not all output came through: {}", completed.error().what));
        result.exit_code = kCannotRunStatus;
      }
      if (result.outcome.stdout_truncated) static_cast<void>(live.Truncated(isolation::Stream::kStdout));
      if (result.outcome.stderr_truncated) static_cast<void>(live.Truncated(isolation::Stream::kStderr));
    }
    if (const auto finished = live.Finish(); !finished) {
      Complain(context_, finished.error(), kCannotRunStatus);
      result.exit_code = kCannotRunStatus;
    }
    if (evidence->ok()) TakeOutputs(evidence->bundle, result);
    return Report(*evidence, result, live);
  }

  /// What --out-dir asks for. A result that cannot be written is no success, whatever the job said.
  void TakeOutputs(const canon::Json& bundle, api::RunResult& result) {
    const std::string& directory = run_.request.out_dir;
    if (directory.empty() || result.outputs.empty()) return;
    const auto outputs = client::OutputsOf(link_.plane(), bundle);
    const auto written = outputs ? client::WriteOutputs(link_.plane(), *outputs, directory) : std::unexpected(outputs.error());
    if (written) {
      for (auto& output : result.outputs) output.written_to = directory + "/" + output.name;
      return;
    }
    result.problem = written.error().what;
    if (result.exit_code != 0) return;
    result.exit_code = kCannotRunStatus;
    result.problem = fmt::format("the run completed, but its outputs could not be written: {}; fetch them with `writ get {} -o DIR{}`",
                                 written.error().what, run_id_, link_.PlaneOption());
  }

  /// A plane of the original protocol makes no receipt for a cancelled run.
  int EndedWithout(const Error& error, const client::RunView& run) {
    if (error.code == Code::kNotFound && run.status == "cancelled") {
      Warn(context_, fmt::format("{} was cancelled before it began", run_id_));
      return kCancelledStatus;
    }
    return Lost(error);
  }

  int Lost(const Error& error) {
    const int status = Complain(context_, error, kCannotRunStatus);
    Warn(context_, fmt::format("see: writ wait {}{}", run_id_, link_.PlaneOption()));
    return status;
  }

  int Report(const client::Evidence& evidence, const api::RunResult& result, LiveOutput& live) {
    for (const auto& line : EvidenceLines(evidence)) Warn(context_, line);
    for (const auto& line : Reasons(result)) Warn(context_, line);
    if (run_.json) return AnswerRunInJson(context_, link_, evidence, result);
    if (!run_.quiet) {
      const std::string summary = RenderSummary(result, run_.request.limits, IsTerminal(STDERR_FILENO) ? TextColumns(STDERR_FILENO) : 1000,
                                                link_.PlaneOption());
      if (const auto said = live.SayBlock(summary); !said) return kCannotRunStatus;
    }
    return result.exit_code;
  }

  Context& context_;
  PlaneLink& link_;
  const AskOptions options_;
  const RunOptions run_;
  std::string run_id_;
};

/// Reads what has to be uploaded besides the workspace, and names it in the request. `copies` are needed until then.
Result<client::CarriedInputs> CarryFiles(const RunOptions& run, AskOptions& options, std::vector<client::Upload>& uploads) {
  std::vector<workspace::InputRequest> requests;
  for (const auto& input : run.request.inputs) requests.push_back({input.path, api::InputName(input)});
  auto carried = WRIT_TRY("--input", client::CarryInputs(requests));
  options.ask.writ->inputs = carried.digests;
  for (auto& upload : carried.uploads) uploads.push_back(std::move(upload));
  if (run.interactive && !run.dry_run) {
    client::Upload content = WRIT_TRY("-i", client::ReadStdin(STDIN_FILENO));
    options.ask.writ->stdin_content = contract::StdinDigest{content.hash, content.bytes.size()};
    uploads.push_back(std::move(content));
  }
  return carried;
}

}  // namespace

int RunOnPlane(Context& context) {
  auto run = ReadRunOptions(context.invocation, context.env);
  if (!run) return Complain(context, run.error(), kCannotRunStatus);
  run->request.caller = {.uid = ::getuid(), .name = UserName(::getuid())};
  if (const auto checked = api::CheckRequest(run->request); !checked) return Complain(context, checked.error(), kCannotRunStatus);
  auto link = PlaneLink::Open(context);
  if (!link) return Complain(context, link.error(), kCannotRunStatus);
  auto options = AskOfRun(context.invocation, *run, link->requested_by());
  if (!options) return Complain(context, options.error(), kCannotRunStatus);
  auto uploads = CaptureWorkspace(*options, link->state_directory());  // starts git, which is over after the next step
  if (!uploads) {
    Error error = uploads.error();
    if (error.code == Code::kNotFound) error.what += "; on a plane --workspace is a git repository, while --input hands in any directory";
    return Complain(context, error, kCannotRunStatus);
  }
  if (const auto confined = context.wiring.confine(Network::kOut); !confined) return Complain(context, confined.error(), kCannotRunStatus);
  for (const auto& warning : options->warnings) Warn(context, warning);
  const auto carried = CarryFiles(*run, *options, *uploads);
  if (!carried) return Complain(context, carried.error(), kCannotRunStatus);
  return PlaneRun(context, *link, *std::move(options), *std::move(run)).Run(*uploads);
}

}  // namespace writ::cli

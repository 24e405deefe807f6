#include <unistd.h>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/plane_ask.h"
#include "cli/plane_follow.h"
#include "cli/plane_handoff.h"
#include "cli/plane_link.h"
#include "cli/plane_report.h"
#include "cli/plane_request.h"
#include "cli/plane_workspace.h"
#include "cli/signals.h"
#include "client/handoff_builder.h"
#include "client/planner.h"
#include "contract/contract.h"
#include "contract/handoff.h"
#include "crypto/digest.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kNotesBytesMax = client::kBlobBytesMax;

int SayRequested(Context& context, const PlaneLink& link, const Requested& requested) {
  const std::string& id = requested.run.run_id;
  const bool asks = requested.run.status == "awaiting_approval";
  if (context.json()) {
    Json requirements = Json::MakeArray();
    for (const auto& text : requested.run.consent_requirements) requirements.Append(text);
    return PrintJson(context, Json::Of({{"runId", id},
                                        {"status", requested.run.status},
                                        {"consentRequirements", std::move(requirements)},
                                        {"uploadedBytes", requested.uploaded},
                                        {"plane", link.target().url}})) == 0 ? 0 : kCannotRunStatus;
  }
  for (const auto& text : requested.run.consent_requirements) Warn(context, fmt::format("needs approval: {}", text));
  if (asks) Warn(context, ApprovalHint(link, id));
  return Print(context, id + "\n") == 0 ? 0 : kCannotRunStatus;
}

/// Waits as `writ wait` does, and cancels the run on Ctrl-C.
int WaitAndReport(Context& context, PlaneLink& link, const std::string& run_id, const client::RunAsk& ask) {
  const auto limit = DurationOption(context, "wait-timeout", kNoLimit);
  if (!limit) return Complain(context, limit.error(), kCannotRunStatus);
  api::RunControl control;
  const SignalScope signals(control, -1);
  FollowOptions options;
  if (*limit != kNoLimit) options.deadline = Deadline::After(*limit);
  options.changed = [&](const client::RunView& view) {
    if (view.status == "awaiting_approval") Warn(context, ApprovalHint(link, run_id));
  };
  const auto followed = RunFollower(link, control).Follow(run_id, options);
  if (!followed) return Complain(context, followed.error(), kCannotRunStatus);
  if (!followed->note.empty()) Warn(context, followed->note);
  if (followed->how != client::WaitEnd::kEnded) {
    Warn(context, fmt::format("{0} has not ended yet; see: writ wait {0}{1}", run_id, link.PlaneOption()));
    return followed->how == client::WaitEnd::kDeadline ? kTimeStatus : kCancelledStatus;
  }
  const auto evidence = client::FetchEvidence(link.plane(), run_id, link.trust(), &ask, SystemClock{});
  if (!evidence && evidence.error().code == Code::kNotFound && followed->run.status == "cancelled") {
    Warn(context, fmt::format("{} was cancelled before it began", run_id));
    return kCancelledStatus;
  }
  if (!evidence) return Complain(context, evidence.error(), kCannotRunStatus);
  return ReportRun(context, link, *evidence);
}

int Request(Context& context, PlaneLink& link, const AskOptions& options, const std::vector<client::Upload>& uploads) {
  const Requested requested = SendRequest(context, link, options, uploads);
  if (requested.exit) return *requested.exit;
  if (!options.wait) return SayRequested(context, link, requested);
  return WaitAndReport(context, link, requested.run.run_id, options.ask);
}

Result<std::string> ReadNote(Context& context, std::string_view option) {
  return sys::ReadFile(std::string(*context.invocation.Value(option)), kNotesBytesMax);
}

/// The notes that options name. Files are read with the caller's rights.
Result<client::HandoffNotes> ReadNotes(Context& context) {
  client::HandoffNotes notes;
  const auto text = [&](std::string_view option) {
    const auto value = context.invocation.Value(option);
    return value ? std::optional(std::string(*value)) : std::nullopt;
  };
  notes.reason = text("reason");
  notes.message = text("message");
  if (context.invocation.Has("transcript")) notes.transcript = WRIT_TRY("--transcript", ReadNote(context, "transcript"));
  if (context.invocation.Has("journal")) {
    const std::string bytes = WRIT_TRY("--journal", ReadNote(context, "journal"));
    const Json journal = WRIT_TRY("--journal", canon::Parse(bytes, canon::Mode::kStrict));
    notes.journal = WRIT_TRY("--journal", contract::DecodeToolJournal(journal));
  }
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) == 0 && host[0] != 0) notes.host = host;
  return notes;
}

/// What an earlier run was asked, where no option says otherwise. Its bundle has to hold.
Result<> TakeFrom(Context& context, PlaneLink& link, AskOptions& options, client::HandoffNotes& notes) {
  const auto from = context.invocation.Value("from");
  if (!from) return {};
  const std::string id = WRIT_TRY("--from", PlaneRunId(link, *from));
  const auto evidence = WRIT_TRY("--from", client::FetchEvidence(link.plane(), id, link.trust(), nullptr, SystemClock{}));
  if (!evidence.ok()) return Fail(Code::kCorrupt, "--from: the evidence of {} does not hold: {}", id, evidence.verification.problems.front());
  const auto contract = WRIT_TRY("--from", contract::DecodeContract(*evidence.bundle.Find("contract")));
  client::RunAsk& ask = options.ask;
  if (!options.pool_named) ask.pool = contract.pool;
  if (!options.agent_named && !context.invocation.after_dashes) {
    ask.agent = contract.agent;
    if (ask.execution && ask.execution->kind != contract::ExecutionKind::kAgent && ask.agent.kind != "command") {
      return Fail(Code::kInvalid, "--from: that run was of the agent {}; name one with --agent, or leave out what only a command takes", EscapeVisible(ask.agent.kind));
    }
  }
  if (ask.secrets.empty()) {
    for (const auto& claim : contract.secrets) ask.secrets.push_back(claim.name);
  }
  if (ask.network.allow_hosts.empty()) ask.network.allow_hosts = contract.network.allow_hosts;
  if (contract.continuation) notes.parent = contract.continuation->checkpoint_id;
  ask = WRIT_TRY("--from", client::CheckAsk(std::move(ask)));
  return {};
}

}  // namespace

Result<client::ContinuationPolicy> ReadContinuationPolicy(const Context& context) {
  const auto named = context.invocation.Value("continuation-policy");
  const std::string directory = WRIT_TRY("continuation policy", client::ConfigDirectory(context.env));
  const std::string path = named ? std::string(*named) : directory + "/continuation.json";
  const auto text = sys::ReadFile(path, 1u << 20);
  if (!text && !named && text.error().code == Code::kNotFound) return client::ContinuationPolicy{};
  if (!text) return std::unexpected(text.error());
  return WRIT_TRY(EscapeVisible(path), client::ParseContinuationPolicy(*text));
}

void AddBlobs(const std::vector<std::string>& blobs, std::vector<client::Upload>& uploads) {
  for (const auto& bytes : blobs) uploads.push_back({crypto::Sha256Hex(bytes), {}, bytes});
}

int SubmitCommand(Context& context) {
  auto link = PlaneLink::Open(context);
  if (!link) return Complain(context, link.error(), kCannotRunStatus);
  auto options = ReadAskOptions(context.invocation, link->requested_by());
  if (!options) return Complain(context, options.error(), kCannotRunStatus);
  const auto uploads = CaptureWorkspace(*options, link->state_directory());  // starts git, which is over after the next step
  if (!uploads) return Complain(context, uploads.error(), kCannotRunStatus);
  if (const auto confined = context.wiring.confine(Network::kOut); !confined) return Complain(context, confined.error(), kCannotRunStatus);
  for (const auto& warning : options->warnings) Warn(context, warning);
  return Request(context, *link, *options, *uploads);
}

int ContinueCommand(Context& context) {
  auto link = PlaneLink::Open(context);
  if (!link) return Complain(context, link.error(), kCannotRunStatus);
  auto options = ReadAskOptions(context.invocation, link->requested_by());
  if (!options) return Complain(context, options.error(), kCannotRunStatus);
  auto notes = ReadNotes(context);
  if (!notes) return Complain(context, notes.error(), kCannotRunStatus);
  const auto policy = ReadContinuationPolicy(context);
  if (!policy) return Complain(context, policy.error(), kCannotRunStatus);
  if (const auto taken = TakeFrom(context, *link, *options, *notes); !taken) return Complain(context, taken.error(), kCannotRunStatus);
  const auto denials = client::PlanDenials(*policy, {options->ask.pool, options->ask.budget, 1});
  if (!denials.empty()) return SayPlanDenied(context, denials);
  auto uploads = CaptureWorkspace(*options, link->state_directory());
  if (!uploads) return Complain(context, uploads.error(), kCannotRunStatus);
  if (const auto confined = context.wiring.confine(Network::kOut); !confined) return Complain(context, confined.error(), kCannotRunStatus);
  for (const auto& warning : options->warnings) Warn(context, warning);
  const SystemClock clock;
  auto handoff = client::BuildHandoff(options->ask, *notes, client::MakeHandoffIds(clock));
  if (!handoff) return Complain(context, handoff.error(), kCannotRunStatus);
  options->ask = std::move(handoff->ask);
  AddBlobs(handoff->blobs, *uploads);
  return Request(context, *link, *options, *uploads);
}

int SayPlanDenied(Context& context, const std::vector<std::string>& denials) {
  for (const auto& denial : denials) Warn(context, denial);
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& denial : denials) list.Append(denial);
    const int printed = PrintJson(context, Json::Of({{"exitCode", kDeniedStatus}, {"denials", std::move(list)}}));
    if (printed != 0) return kCannotRunStatus;
  }
  return kDeniedStatus;
}

}  // namespace writ::cli

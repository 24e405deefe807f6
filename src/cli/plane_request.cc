#include "cli/plane_request.h"

#include "base/escape.h"
#include "cli/plane_result.h"
#include "cli/run_report.h"

namespace writ::cli {
namespace {

using canon::Json;

Requested Done(int status) {
  Requested requested;
  requested.exit = status;
  return requested;
}

}  // namespace

int SayDenied(Context& context, const PlaneLink& link, const std::vector<std::string>& reasons) {
  api::RunResult result;
  result.decision = PlaneDecision(api::Verdict::kDeny, reasons, link.target().url);
  result.exit_code = kDeniedStatus;
  for (const auto& reason : reasons) Warn(context, fmt::format("denied by {}: {}", result.decision.policy_source, reason));
  if (context.json() && PrintJson(context, RunJson(result)) != 0) return kCannotRunStatus;
  return kDeniedStatus;
}

int SayDryRun(Context& context, const PlaneLink& link, const client::DryRunAnswer& answer) {
  const int status = answer.ask ? kNeedsApprovalStatus : 0;
  if (context.json()) {
    const int printed = PrintJson(context, Json::Of({{"dryRun", true}, {"exitCode", status}, {"plane", link.target().url}, {"answer", answer.json}}));
    return printed == 0 ? status : kCannotRunStatus;
  }
  std::string text = fmt::format("{} would {}: {}\n", EscapeVisible(link.target().url), answer.ask ? "ask for approval" : "allow it",
                                 EscapeVisible(answer.reason, 2000));
  for (const auto& requirement : answer.consent_requirements) text += fmt::format("  needs  {}\n", EscapeVisible(requirement, 500));
  text += fmt::format("{}\n", canon::Pretty(answer.json));
  return Print(context, text) == 0 ? status : kCannotRunStatus;
}

std::string ApprovalHint(const PlaneLink& link, const std::string& run_id) {
  return fmt::format("{0} needs approval; somebody who may: writ approve {0}{1}", run_id, link.PlaneOption());
}

Requested SendRequest(Context& context, PlaneLink& link, const AskOptions& options, const std::vector<client::Upload>& uploads) {
  if (options.dry_run || options.ask.writ) {
    const auto judged = client::DryRun(link.plane(), options.ask);
    if (!judged) return Done(Complain(context, judged.error(), kCannotRunStatus));
    if (!judged->answer) return Done(SayDenied(context, link, judged->denied));
    if (options.dry_run) return Done(SayDryRun(context, link, *judged->answer));
  }
  Requested requested;
  if (const auto sent = client::UploadAll(link.plane(), uploads, requested.uploaded); !sent) {
    return Done(Complain(context, sent.error(), kCannotRunStatus));
  }
  const auto judged = client::Submit(link.plane(), options.ask);
  if (!judged) return Done(Complain(context, judged.error(), kCannotRunStatus));
  if (!judged->answer) return Done(SayDenied(context, link, judged->denied));
  requested.run = *judged->answer;
  return requested;
}

}  // namespace writ::cli

// Taking over what a run of a plane changed.
#include "base/escape.h"
#include "cli/commands.h"
#include "cli/plane_link.h"
#include "cli/plane_result.h"
#include "client/pull.h"
#include "contract/contract.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr Millis kPullMax{600'000};
constexpr std::uint64_t kDiffBytesMax = 1ull << 30;

/// The diff of a run whose evidence holds, and what it applies to.
Result<client::PullRequest> Fetch(Context& context, PlaneLink& link) {
  client::PullRequest request;
  request.run_id = WRIT_TRY("run", PlaneRunId(link, context.operand(0)));
  request.repository = context.invocation.Value("repo").value_or(".");
  request.dangerous = context.invocation.Has("flagged") ? client::Dangerous::kApply : client::Dangerous::kToBranch;
  const auto evidence = WRIT_TRY("evidence", client::FetchEvidence(link.plane(), request.run_id, link.trust(), nullptr, SystemClock{}));
  if (!evidence.ok()) {
    return Fail(Code::kCorrupt, "the evidence of this run does not hold, so its changes are not taken: {}", evidence.verification.problems.front());
  }
  if (evidence.first_use) Warn(context, EvidenceLines(evidence).back());
  const auto contract = WRIT_TRY("contract", contract::DecodeContract(*evidence.bundle.Find("contract")));
  const std::string* base = contract.workspace.FindString("baseRef");
  if (!base || *base == contract::kNoBaseRef) return Fail(Code::kInvalid, "this run had no workspace of git");
  request.base_ref = *base;
  const std::string* diff = evidence.bundle.Find("receipt")->Find("workspaceOut")->FindString("diffHash");  // verified above
  if (diff && !diff->empty()) request.diff = WRIT_TRY("diff", link.plane().GetBlob(*diff, kDiffBytesMax));
  return request;
}

Json ChangesJson(const std::vector<client::PulledChange>& changes) {
  Json list = Json::MakeArray();
  for (const auto& change : changes) {
    Json one = Json::Of({{"path", change.path}, {"kind", std::string(1, change.kind)}});
    if (!change.danger.empty()) one.Set("danger", change.danger);
    list.Append(std::move(one));
  }
  return list;
}

std::string Lines(const std::vector<client::PulledChange>& changes) {
  std::string text;
  for (const auto& change : changes) text += fmt::format("{} {}\n", change.kind, EscapeVisible(change.path));
  return text;
}

void WarnOfDangers(const Context& context, const std::vector<client::PulledChange>& changes) {
  for (const auto& change : changes) {
    if (!change.danger.empty()) Warn(context, fmt::format("careful: {}: {}", change.path, change.danger));
  }
}

}  // namespace

int PullCommand(Context& context) {
  auto link = PlaneLink::Open(context);
  if (!link) return Complain(context, link.error());
  const auto request = Fetch(context, *link);
  if (!request) return Complain(context, request.error());
  const Deadline deadline = Deadline::After(kPullMax);
  if (context.invocation.Has("dry-run")) {
    if (request->diff.empty()) {
      return context.json() ? PrintJson(context, Json::Of({{"runId", request->run_id}, {"dryRun", true}, {"changes", Json::MakeArray()}}))
                            : Print(context, "the run changed nothing\n");
    }
    const auto plan = client::PlanPull(*request, deadline);
    if (!plan) return Complain(context, plan.error());
    WarnOfDangers(context, plan->changes);
    if (context.json()) return PrintJson(context, Json::Of({{"runId", request->run_id}, {"dryRun", true}, {"changes", ChangesJson(plan->changes)}}));
    return Print(context, Lines(plan->changes));
  }
  const auto pulled = client::Pull(*request, deadline);
  if (!pulled) return Complain(context, pulled.error());
  WarnOfDangers(context, pulled->changes);
  if (context.json()) {
    Json json = Json::Of({{"runId", request->run_id}, {"dryRun", false}, {"result", client::PullResultName(pulled->how)}, {"changes", ChangesJson(pulled->changes)}});
    if (pulled->how == client::PullResult::kBranch) json.Set("branch", pulled->branch).Set("commit", pulled->commit).Set("why", pulled->why);
    return PrintJson(context, json);
  }
  switch (pulled->how) {
    case client::PullResult::kEmpty: return Print(context, "the run changed nothing\n");
    case client::PullResult::kApplied: return Print(context, Lines(pulled->changes));
    case client::PullResult::kBranch:
      Warn(context, fmt::format("on branch {}, not in your working tree: {}", pulled->branch, pulled->why));
      return Print(context, fmt::format("{}\n", pulled->branch));
  }
  return 1;
}

}  // namespace writ::cli

#include "cli/dry_run.h"

#include <utility>
#include <vector>

#include "api/check_request.h"
#include "base/escape.h"
#include "base/shell_quote.h"
#include "base/units.h"
#include "cli/run_report.h"
#include "cli/table.h"

namespace writ::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

void AddNetwork(Rows& rows, const api::NetworkRequest& network) {
  if (!network.asked) {
    rows.push_back({"network", "none"});
    return;
  }
  std::string_view title = "network";
  const auto line = [&](std::string text) { rows.push_back({std::string(std::exchange(title, "")), std::move(text)}); };
  if (network.open) line("every public host, no private address unless named");
  for (const auto& rule : network.rules) line(EscapeVisible(rule));
  if (network.budget_bytes) line(fmt::format("at most {}, then the run ends", FormatSize(*network.budget_bytes)));
}

void AddView(Rows& rows, const api::Preview& preview, const api::CreateRun& request, bool own_stdin) {
  rows.push_back({"root", request.root.empty() ? "the host's system directories, read-only" : fmt::format("{}, read-only", EscapeVisible(request.root))});
  rows.push_back({"/work", request.workspace.empty()
                               ? std::string("empty and writable")
                               : fmt::format("a copy-on-write view of {}: {} files, {}", EscapeVisible(request.workspace),
                                             preview.workspace_files, FormatSize(preview.workspace_bytes))});
  for (const auto& input : request.inputs) {
    rows.push_back({fmt::format("/in/{}", EscapeVisible(api::InputName(input))), fmt::format("{}, read-only", EscapeVisible(input.path))});
  }
  for (const auto& output : request.outputs) {
    rows.push_back({fmt::format("/out/{}", EscapeVisible(output.name)), output.optional ? "released if it is there" : "released"});
  }
  AddNetwork(rows, request.network);
  for (const auto& entry : request.env) {
    const bool literal = entry.source == api::EnvSource::kLiteral;
    rows.push_back({fmt::format("${}", entry.name), literal ? fmt::format("`{}`, in the contract in clear", EscapeVisible(entry.value)) : "your value; the contract has the name only"});
  }
  rows.push_back({"stdin", own_stdin ? "yours" : "/dev/null"});
}

void AddLimits(Rows& rows, const Limits& limits) {
  rows.push_back({"time", fmt::format("{}, cpu {}, {} cores", FormatDuration(limits.wall_time), FormatDuration(limits.cpu_time), FormatCores(limits.cpu_millis))});
  rows.push_back({"memory", fmt::format("{}, {} processes, {} open files", FormatSize(limits.memory_bytes), limits.pids, limits.open_files)});
  rows.push_back({"output", fmt::format("stdout {}, stderr {}, disk {}, {} files", FormatSize(limits.stdout_bytes), FormatSize(limits.stderr_bytes), FormatSize(limits.disk_bytes), limits.inodes)});
}

void Indent(std::string& out, const std::string& table) {
  std::size_t start = 0;
  while (start < table.size()) {
    const auto end = table.find('\n', start);
    out += fmt::format("  {}\n", table.substr(start, end - start));
    start = end + 1;
  }
}

}  // namespace

int PreviewStatus(const api::Preview& preview) {
  if (preview.decision.verdict == api::Verdict::kDeny) return 122;
  if (preview.decision.verdict == api::Verdict::kNeedsApproval) return 123;
  return preview.refusal.empty() ? 0 : 125;
}

std::string RenderPreview(const api::Preview& preview, const api::CreateRun& request, bool own_stdin) {
  const auto& decision = preview.decision;
  std::string out = fmt::format("Decision: {} by {} (rule {})\n", VerdictWord(decision.verdict), EscapeVisible(decision.policy_source), EscapeVisible(decision.rule));
  for (const auto& reason : decision.reasons) out += fmt::format("  {}\n", EscapeVisible(reason));
  if (!decision.grant.empty()) out += fmt::format("  would be allowed by: {}\n", EscapeVisible(decision.grant));
  if (!preview.refusal.empty()) out += fmt::format("This host: refused: {}\n", EscapeVisible(preview.refusal));
  out += fmt::format("Command: {}\n\nIt could see\n", EscapeVisible(ShellQuote(request.argv)));
  Rows view, limits;
  AddView(view, preview, request, own_stdin);
  Indent(out, RenderTable(view, 1000));
  out += "\nLimits\n";
  AddLimits(limits, request.limits);
  Indent(out, RenderTable(limits, 1000));
  out += fmt::format("\nWould be signed\n{}\n", canon::Pretty(preview.contract));
  return out;
}

canon::Json PreviewJson(const api::Preview& preview) {
  using canon::Json;
  Json json = Json::Of({{"dryRun", true},
                        {"exitCode", PreviewStatus(preview)},
                        {"decision", DecisionJson(preview.decision)},
                        {"tier", preview.tier},
                        {"workspace", Json::Of({{"files", preview.workspace_files}, {"bytes", preview.workspace_bytes}})},
                        {"contract", preview.contract}});
  if (!preview.refusal.empty()) json.Set("refusal", preview.refusal);
  return json;
}

}  // namespace writ::cli

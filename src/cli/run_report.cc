#include "cli/run_report.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "base/units.h"
#include "cli/content_json.h"
#include "cli/context.h"
#include "cli/table.h"
#include "contract/hash.h"
#include "session/receipt_builder.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kNamesShown = 5;
constexpr std::size_t kNameColumns = 48;

std::string Seconds(std::int64_t us) {
  if (us < 1'000'000) return fmt::format("{:.1f}ms", static_cast<double>(us) / 1e3);
  if (us < 10'000'000) return fmt::format("{:.2f}s", static_cast<double>(us) / 1e6);
  return FormatDuration(Millis{us / 1'000'000 * 1000});
}

/// " (cgroup2)", or nothing when nobody enforces it.
std::string By(const isolation::Guarantees& guarantees, std::string_view limit) {
  const auto found = guarantees.enforced.find(limit);
  return found == guarantees.enforced.end() ? "" : fmt::format(" ({})", EscapeVisible(found->second));
}

std::string Ending(const api::RunResult& result) {
  using isolation::Termination;
  std::string text = EscapeVisible(result.status);
  switch (result.outcome.how) {
    case Termination::kExited: return text + fmt::format(", exit {}", result.outcome.code);
    case Termination::kSignal: return text + fmt::format(", killed by signal {}", result.outcome.code);
    default: return text + fmt::format(", {}", isolation::TerminationName(result.outcome.how));
  }
}

/// Up to kNamesShown names and how many more there are.
std::string Names(const std::vector<std::string>& names, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", EscapeVisible(names[i], kNameColumns));
  }
  if (count > kNamesShown) text += fmt::format(" and {} more", count - kNamesShown);
  return text;
}

using Rows = std::vector<std::vector<std::string>>;

void AddUse(Rows& rows, const api::RunResult& result, const Limits& limits) {
  const auto& use = result.outcome.use;
  const auto& by = result.guarantees;
  rows.push_back({"  time", fmt::format("{} of {}{}", Seconds(use.wall_us), FormatDuration(limits.wall_time), By(by, "wall-time"))});
  if (use.cpu_user_us || use.cpu_system_us) {
    rows.push_back({"  cpu", fmt::format("{} of {}{}, {} cores{}", Seconds(use.cpu_user_us.value_or(0) + use.cpu_system_us.value_or(0)),
                                         FormatDuration(limits.cpu_time), By(by, "cpu-time"), FormatCores(limits.cpu_millis),
                                         By(by, "cpus"))});
  }
  const std::string peak = use.memory_peak_bytes ? fmt::format("{} peak of ", FormatSize(*use.memory_peak_bytes)) : "at most ";
  rows.push_back({"  memory", fmt::format("{}{}{}", peak, FormatSize(limits.memory_bytes), By(by, "memory"))});
  rows.push_back({"  limits", fmt::format("{} processes{}, {} open files{}", limits.pids, By(by, "pids"), limits.open_files, By(by, "files"))});
  rows.push_back({"", fmt::format("disk {}{}, {} files{}", FormatSize(limits.disk_bytes), By(by, "disk"), limits.inodes, By(by, "inodes"))});
  if (result.outcome.stdout_truncated || result.outcome.stderr_truncated) {
    rows.push_back({"  cut", fmt::format("{}{}{}", result.outcome.stdout_truncated ? fmt::format("stdout at {} of {}", FormatSize(limits.stdout_bytes), FormatSize(use.stdout_bytes)) : "",
                                         result.outcome.stdout_truncated && result.outcome.stderr_truncated ? ", " : "",
                                         result.outcome.stderr_truncated ? fmt::format("stderr at {} of {}", FormatSize(limits.stderr_bytes), FormatSize(use.stderr_bytes)) : "")});
  }
}

/// What confines the run besides limits: network, user ids, file system, system calls.
void AddIsolation(Rows& rows, const isolation::Guarantees& guarantees) {
  constexpr std::array<std::string_view, 10> kLimits{"wall-time", "cpu-time", "cpus", "memory", "pids", "files", "stdout", "stderr", "disk", "inodes"};
  if (guarantees.tier.empty()) return;
  std::string text = EscapeVisible(guarantees.tier);
  std::string separator = ": ";
  for (const auto& [property, mechanism] : guarantees.enforced) {
    if (std::ranges::find(kLimits, property) != kLimits.end()) continue;
    text += fmt::format("{}{} {}", separator, EscapeVisible(property), EscapeVisible(mechanism));
    separator = ", ";
  }
  rows.push_back({"  isolation", std::move(text)});
}

/// How the reader goes on with a run: which id the commands take, and which ones there are.
struct NextSteps {
  std::string id, changes, output, verify;
};

void AddFiles(Rows& rows, const api::RunResult& result, const NextSteps& next) {
  if (result.files_changed > 0) {
    std::vector<std::string> names;
    for (const auto& change : result.changes) names.push_back(fmt::format("{} {}", change.kind, change.path));
    rows.push_back({"  changed", fmt::format("{} files: {}", result.files_changed, Names(names, result.files_changed))});
    rows.push_back({"", next.changes});
  }
  std::size_t dangers = 0;
  for (const auto& change : result.changes) {
    if (change.danger.empty() || ++dangers > kNamesShown) continue;
    rows.push_back({"  careful", fmt::format("{}: {}", EscapeVisible(change.path, kNameColumns), EscapeVisible(change.danger))});
  }
  if (result.workspace_changed_meanwhile) rows.push_back({"  careful", "the workspace was changed by somebody else during the run"});
  for (const auto& output : result.outputs) {
    rows.push_back({"  output", fmt::format("{}  {}  {}", EscapeVisible(output.name, kNameColumns), FormatSize(output.bytes),
                                            output.written_to.empty() ? next.output : fmt::format("-> {}", EscapeVisible(output.written_to)))});
  }
  if (!result.missing.empty()) rows.push_back({"  missing", Names(result.missing, result.missing.size())});
  if (result.undeclared_count > 0) {
    rows.push_back({"  undeclared", fmt::format("{} files under /out, not released: {}", result.undeclared_count, Names(result.undeclared, result.undeclared_count))});
  }
}

std::string Summary(const api::RunResult& result, const Limits& limits, std::size_t columns, const NextSteps& next) {
  Rows rows;
  if (result.outcome.how != isolation::Termination::kNotStarted) AddUse(rows, result, limits);
  AddIsolation(rows, result.guarantees);
  AddFiles(rows, result, next);
  if (const std::string hash = ReceiptHash(result.receipt); !hash.empty()) rows.push_back({"  receipt", hash});
  rows.push_back({"  verify", next.verify});
  return fmt::format("writ: run {} {}\n{}", next.id, Ending(result), RenderTable(rows, columns));
}

}  // namespace

std::string_view VerdictWord(api::Verdict verdict) {
  switch (verdict) {
    case api::Verdict::kAllow: return "allow";
    case api::Verdict::kNeedsApproval: return "ask";
    case api::Verdict::kDeny: return "deny";
  }
  return "deny";
}

std::string ReceiptHash(const Json& receipt) {
  if (!receipt.is_object()) return {};
  return contract::HashCanonical(receipt).value_or(std::string{});
}

std::vector<std::string> Reasons(const api::RunResult& result) {
  std::vector<std::string> lines;
  const auto& decision = result.decision;
  // A run that needed consent and has a contract was given it.
  if (decision.verdict == api::Verdict::kAllow || result.contract.is_object()) {
    if (!result.problem.empty()) lines.push_back(result.problem);
    return lines;
  }
  const std::string verdict =
      fmt::format("{} by {}", decision.verdict == api::Verdict::kDeny ? "denied" : "needs approval", decision.policy_source);
  for (const auto& reason : decision.reasons) lines.push_back(fmt::format("{}: {}", verdict, reason));
  if (decision.reasons.empty()) lines.push_back(fmt::format("{} (rule {})", verdict, decision.rule));
  if (!decision.grant.empty()) lines.push_back(fmt::format("it would be allowed by: {}", decision.grant));
  if (decision.verdict == api::Verdict::kNeedsApproval && !result.problem.empty()) lines.push_back(result.problem);
  return lines;
}

std::string RenderSummary(const api::RunResult& result, const Limits& limits, std::size_t columns) {
  const std::string id = ShortRunId(result.run_id);
  return Summary(result, limits, columns,
                 {id, fmt::format("writ diff {0}; writ apply {0}", id), fmt::format("writ get {}", id), fmt::format("writ verify {}", id)});
}

std::string RenderSummary(const api::RunResult& result, const Limits& limits, std::size_t columns, std::string_view plane_option) {
  const std::string id = EscapeVisible(result.run_id);
  const std::string pull = fmt::format("writ pull {}{}", id, plane_option), get = fmt::format("writ get {}{}", id, plane_option);
  return Summary(result, limits, columns, {id, pull, get, fmt::format("writ verify {}{}", id, plane_option)});
}

Json DecisionJson(const api::DecisionView& decision) {
  Json json = Json::Of({{"verdict", VerdictWord(decision.verdict)}, {"rule", decision.rule}, {"reasons", TextArray(decision.reasons)}});
  if (!decision.grant.empty()) json.Set("grant", decision.grant);
  json.Set("policyHash", decision.policy_hash).Set("policySource", decision.policy_source);
  return json;
}

Json RunRowJson(const api::RunRow& row) {
  Json json = Json::Of({{"runId", row.run_id}, {"status", row.status}, {"createdAt", row.created_at}});
  if (!row.ended_at.empty()) json.Set("endedAt", row.ended_at);
  json.Set("command", row.command);
  if (row.exit_code) json.Set("exitCode", *row.exit_code);
  return json.Set("live", row.live);
}

Json RunJson(const api::RunResult& result) {
  Json json = Json::MakeObject();
  if (!result.run_id.empty()) json.Set("runId", result.run_id).Set("status", result.status);
  json.Set("exitCode", result.exit_code);
  if (!result.problem.empty()) json.Set("problem", result.problem);
  json.Set("decision", DecisionJson(result.decision));
  if (result.run_id.empty()) return json;
  const Json end = session::EndFacts(result.outcome);
  Json enforced = Json::MakeObject();
  for (const auto& [limit, mechanism] : result.guarantees.enforced) enforced.Set(limit, mechanism);
  Json changes = Json::MakeArray(), outputs = Json::MakeArray();
  for (const auto& change : result.changes) {
    Json one = Json::Of({{"path", change.path}, {"kind", change.kind}});
    if (!change.danger.empty()) one.Set("danger", change.danger);
    changes.Append(std::move(one));
  }
  for (const auto& output : result.outputs) {
    Json one = Json::Of({{"name", output.name}, {"sha256", output.sha256}, {"bytes", output.bytes}});
    if (!output.written_to.empty()) one.Set("path", output.written_to);
    outputs.Append(std::move(one));
  }
  json.Set("termination", *end.Find("termination"))
      .Set("use", *end.Find("use"))
      .Set("tier", result.guarantees.tier)
      .Set("enforced", std::move(enforced))
      .Set("filesChanged", result.files_changed)
      .Set("changes", std::move(changes))
      .Set("outputs", std::move(outputs))
      .Set("missing", TextArray(result.missing))
      .Set("undeclared", TextArray(result.undeclared))
      .Set("undeclaredCount", result.undeclared_count)
      .Set("workspaceChangedMeanwhile", result.workspace_changed_meanwhile)
      .Set("receiptHash", ReceiptHash(result.receipt));
  return json;
}

}  // namespace writ::cli

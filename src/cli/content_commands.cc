#include <unistd.h>

#include "base/escape.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/content_json.h"
#include "cli/plane_link.h"
#include "cli/plane_result.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/terminal_filter.h"
#include "client/output_files.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;
using Until = api::LocalPlane::Until;

constexpr std::size_t kJsonContentMax = 4u << 20;  // of each stream: an object is to be held in memory by its reader

/// Copies kept bytes to stdout as they are, or safely when stdout is a terminal.
int CopyToStdout(Context& context, api::LocalPlane& plane, std::string_view run, std::string_view kind,
                 Until until = Until::kNow) {
  const bool filter_it = IsTerminal(STDOUT_FILENO);
  TerminalFilter filter;
  std::string safe;
  const auto copied = plane.ReadKind(run, kind, [&](ByteView piece) -> Result<> {
    if (!filter_it) return sys::WriteAll(STDOUT_FILENO, piece);
    safe.clear();
    filter.Append(AsText(piece), safe);
    return sys::WriteAll(STDOUT_FILENO, safe);
  }, until);
  if (!copied) return Complain(context, copied.error());
  safe.clear();
  filter.Finish(safe);
  return Print(context, safe);
}

}  // namespace

int LogsCommand(Context& context) {
  if (NamesPlane(context)) return PlaneLogsCommand(context);
  if (const auto confined = context.wiring.confine(Network::kNone); !confined) return Complain(context, confined.error());
  const bool out = context.invocation.Has("stdout"), err = context.invocation.Has("stderr");
  const Until until = context.invocation.Has("follow") ? Until::kEnd : Until::kNow;
  const auto plane = OpenPlane();
  if (!context.json()) {
    const std::string_view kind = out == err ? "log" : out ? "stdout" : "stderr";
    return CopyToStdout(context, *plane, context.operand(0), kind, until);
  }
  if (until == Until::kEnd) {
    const auto waited = plane->ReadKind(context.operand(0), "log", [](ByteView) -> Result<> { return {}; }, until);
    if (!waited) return Complain(context, waited.error());
  }
  const auto shown = plane->Show(context.operand(0));
  if (!shown) return Complain(context, shown.error());
  const std::string* const run = &shown->row.run_id;
  Json answer = Json::Of({{"runId", *run}});
  if (shown->row.live) answer.Set("running", true);
  for (const std::string_view kind : {"stdout", "stderr"}) {
    if (out != err && (kind == "stdout") != out) continue;
    auto content = KeptContentJson(*plane, *run, kind, kJsonContentMax);
    if (!content) return Complain(context, content.error());
    answer.Set(kind, *std::move(content));
  }
  return PrintJson(context, answer);
}

int DiffCommand(Context& context) {
  const auto plane = OpenPlane();
  if (!context.json()) return CopyToStdout(context, *plane, context.operand(0), "diff");
  const auto run = plane->Resolve(context.operand(0));
  if (!run) return Complain(context, run.error());
  auto content = KeptContentJson(*plane, *run, "diff", kJsonContentMax);
  if (!content) return Complain(context, content.error());
  return PrintJson(context, Json::Of({{"runId", *run}, {"diff", *std::move(content)}}));
}

namespace {

int SayWritten(Context& context, const std::string& run, const std::vector<api::OutputFact>& outputs) {
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& output : outputs) {
      list.Append(Json::Of({{"name", output.name}, {"sha256", output.sha256}, {"bytes", output.bytes}, {"path", output.written_to}}));
    }
    return PrintJson(context, Json::Of({{"runId", run}, {"outputs", std::move(list)}}));
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& output : outputs) {
    rows.push_back({EscapeVisible(output.name), FormatSize(output.bytes), EscapeVisible(output.written_to)});
  }
  if (rows.empty()) return Print(context, "the run released no outputs\n");
  return Print(context, RenderTable(rows, 1000));
}

int GetFromPlane(Context& context, const std::string& directory) {
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto run = PlaneRunId(*link, context.operand(0));
  if (!run) return Complain(context, run.error());
  const auto evidence = client::FetchEvidence(link->plane(), *run, link->trust(), nullptr, SystemClock{});
  if (!evidence) return Complain(context, evidence.error());
  if (!evidence->ok()) {
    return Complain(context, Error{Code::kCorrupt, fmt::format("the evidence of this run does not hold, so its outputs are not taken: {}",
                                                               evidence->verification.problems.front())});
  }
  if (evidence->first_use) Warn(context, EvidenceLines(*evidence).back());
  const auto outputs = client::OutputsOf(link->plane(), evidence->bundle);
  if (!outputs) return Complain(context, outputs.error());
  const std::string_view only = context.operand(1);
  const auto dangers = context.invocation.Has("flagged") ? std::vector<client::DangerousOutput>{} : client::DangersIn(*outputs, only);
  if (!dangers.empty()) {
    return Complain(context, Error{Code::kDenied, fmt::format("{}: {}; nothing was written{}: --flagged writes it too", dangers.front().path, dangers.front().why,
                                                              dangers.size() > 1 ? fmt::format(" ({} more like it)", dangers.size() - 1) : "")});
  }
  const bool nothing = outputs->empty() && only.empty();
  const auto written = nothing ? Result<>{} : client::WriteOutputs(link->plane(), *outputs, directory, only);
  if (!written) return Complain(context, written.error());
  std::vector<api::OutputFact> facts;
  for (const auto& output : *outputs) {
    if (only.empty() || output.name == only) facts.push_back({output.name, output.sha256, output.bytes, directory + "/" + output.name});
  }
  return SayWritten(context, *run, facts);
}

}  // namespace

int GetCommand(Context& context) {
  const std::string directory(context.invocation.Value("out-dir").value_or("."));
  if (NamesPlane(context)) return GetFromPlane(context, directory);
  const auto plane = OpenPlane();
  const auto run = plane->Resolve(context.operand(0));
  if (!run) return Complain(context, run.error());
  const auto outputs = plane->GetOutputs(*run, context.operand(1), directory);
  if (!outputs) return Complain(context, outputs.error());
  return SayWritten(context, *run, *outputs);
}

int ApplyCommand(Context& context) {
  const auto plane = OpenPlane();
  const auto run = plane->Resolve(context.operand(0));
  if (!run) return Complain(context, run.error());
  const api::ApplyRequest request{.run = *run,
                                  .directory = std::string(context.invocation.Value("dir").value_or("")),
                                  .dry_run = context.invocation.Has("dry-run"),
                                  .force = context.invocation.Has("force"),
                                  .flagged = context.invocation.Has("flagged")};
  const auto result = plane->Apply(request);
  if (!result) return Complain(context, result.error());
  const bool conflicts = !result->conflicts.empty() && !request.force;
  const bool failed = conflicts || !result->stopped.empty();
  if (context.json()) {
    Json answer = Json::Of({{"runId", *run}, {"applied", result->applied}, {"dryRun", request.dry_run}});
    answer.Set("paths", TextArray(result->paths)).Set("conflicts", TextArray(result->conflicts));
    answer.Set("heldBack", TextArray(result->held_back)).Set("warnings", TextArray(result->warnings));
    if (!result->stopped.empty()) answer.Set("stopped", result->stopped);
    const int printed = PrintJson(context, answer);
    return failed ? 1 : printed;
  }
  for (const auto& warning : result->warnings) Warn(context, warning);
  std::string text;
  if (!conflicts) {
    for (const auto& path : result->paths) text += fmt::format("{}{}\n", request.dry_run ? "would write " : "", EscapeVisible(path));
    if (result->paths.empty()) text = "nothing to apply\n";
  }
  for (const auto& path : result->held_back) text += fmt::format("held back: {}\n", EscapeVisible(path));
  for (const auto& path : result->conflicts) text += fmt::format("conflict: {}\n", EscapeVisible(path));
  const int printed = Print(context, text);
  if (!result->held_back.empty()) Warn(context, "some changes were held back because your own tools might execute them; --flagged writes them too");
  if (conflicts) Warn(context, "nothing was changed: these files are not as the run saw them; --force overwrites them");
  if (!result->stopped.empty()) return Complain(context, Error{Code::kInternal, result->stopped});
  return failed ? 1 : printed;
}

}  // namespace writ::cli

#include <unistd.h>

#include <vector>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/plane_link.h"
#include "cli/run_report.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kRowsDefault = 50;
constexpr std::size_t kRowsMax = 1'000'000;

int ListRuns(Context& context, bool live_only) {
  const auto limit = CountOption(context, "limit", kRowsDefault, kRowsMax);
  if (!limit) return Complain(context, limit.error(), 2);
  const auto rows = OpenPlane()->List(*limit, live_only);
  if (!rows) return Complain(context, rows.error());
  if (context.json()) {
    Json runs = Json::MakeArray();
    for (const auto& row : *rows) runs.Append(RunRowJson(row));
    return PrintJson(context, Json::Of({{"runs", std::move(runs)}}));
  }
  std::vector<std::vector<std::string>> table{{"RUN", "STARTED (UTC)", "STATUS", "EXIT", "COMMAND"}};
  for (const auto& row : *rows) {
    table.push_back({ShortRunId(row.run_id), ShowTime(row.created_at), EscapeVisible(row.status),
                     row.exit_code ? fmt::format("{}", *row.exit_code) : "-", EscapeVisible(row.command)});
  }
  return Print(context, RenderTable(table, TableColumns()));
}

/// A text member of a decision, escaped; "-" when it is absent or empty.
std::string ShownMember(const Json& entry, std::string_view member) {
  const std::string* text = entry.FindString(member);
  return text && !text->empty() ? EscapeVisible(*text) : "-";
}

}  // namespace

int PsCommand(Context& context) { return ListRuns(context, true); }

int ListCommand(Context& context) {
  if (NamesPlane(context)) return PlaneListCommand(context);
  if (const auto confined = context.wiring.confine(Network::kNone); !confined) return Complain(context, confined.error());
  return ListRuns(context, false);
}

int DecisionsCommand(Context& context) {
  const auto limit = CountOption(context, "limit", kRowsDefault, kRowsMax);
  if (!limit) return Complain(context, limit.error(), 2);
  const auto plane = OpenPlane();
  const auto entries = plane->Decisions(*limit);
  if (!entries) return Complain(context, entries.error());
  const auto chain = plane->VerifyDecisions();
  if (context.json()) {
    Json decisions = Json::MakeArray();
    for (const auto& entry : *entries) decisions.Append(entry);
    Json answer = Json::Of({{"ok", chain.has_value()}, {"decisions", std::move(decisions)}});
    if (!chain) answer.Set("problem", chain.error().what);
    const int printed = PrintJson(context, answer);
    return chain ? printed : 1;
  }
  std::vector<std::vector<std::string>> table{{"TIME (UTC)", "DECISION", "RUN", "REASON"}};
  for (const auto& entry : *entries) {
    constexpr std::string_view kTypePrefix = "writ.decision.";
    const Json* found = entry.Find("event");
    const Json event = found ? *found : Json();
    const std::string* at = entry.FindString("ts");
    const std::string* run = event.FindString("runId");
    std::string kind = ShownMember(event, "type");
    if (kind.starts_with(kTypePrefix)) kind.erase(0, kTypePrefix.size());
    table.push_back({at ? ShowTime(*at) : "-", kind, run && !run->empty() ? ShortRunId(*run) : "-", ShownMember(event, "reason")});
  }
  const int printed = Print(context, RenderTable(table, TableColumns()));
  return chain ? printed : Complain(context, chain.error());
}

}  // namespace writ::cli

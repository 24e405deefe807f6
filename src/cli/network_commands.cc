#include <unistd.h>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/network_report.h"
#include "cli/user_name.h"

namespace writ::cli {
namespace {

using canon::Json;

std::string RulesText(bool open, const std::vector<std::string>& rules) {
  std::string text = open ? "open\n" : "";
  for (const auto& rule : rules) text += EscapeVisible(rule) + "\n";
  return text;
}

Json RulesJson(std::string_view run_id, bool open, const std::vector<std::string>& rules) {
  Json list = Json::MakeArray();
  for (const auto& rule : rules) list.Append(rule);
  return Json::Of({{"runId", run_id}, {"open", open}, {"rules", std::move(list)}});
}

int ListRules(Context& context, api::LocalPlane& plane) {
  const auto explained = plane.Explain(context.operand(0));
  if (!explained) return Complain(context, explained.error());
  const auto& granted = explained->story.granted;
  if (context.json()) return PrintJson(context, RulesJson(explained->run_id, granted.open, granted.rules));
  return Print(context, RulesText(granted.open, granted.rules));
}

}  // namespace

int ExplainCommand(Context& context) {
  const auto explained = OpenPlane()->Explain(context.operand(0));
  if (!explained) return Complain(context, explained.error());
  return context.json() ? PrintJson(context, ExplanationJson(*explained)) : Print(context, RenderRefusals(*explained));
}

int NetCommand(Context& context) {
  const std::string_view action = context.operand(1), rule = context.operand(2);
  const bool lists = action == "list", changes = action == "add" || action == "remove";
  if (!lists && !changes)
    return Complain(context, Error{Code::kInvalid, fmt::format("`{}` is not add, remove or list", EscapeVisible(action))}, 2);
  if (lists != rule.empty())
    return Complain(context, Error{Code::kInvalid, lists ? "list takes no RULE" : fmt::format("{} needs a RULE", action)}, 2);
  const auto timeout = DurationOption(context, "timeout", std::chrono::seconds{10});
  if (!timeout) return Complain(context, timeout.error(), 2);
  const auto plane = OpenPlane();
  if (lists) return ListRules(context, *plane);
  const auto run = plane->Resolve(context.operand(0));
  if (!run) return Complain(context, run.error());
  const auto answer = plane->ChangeRule(*run, {action == "add", std::string(rule), UserName(::getuid())}, Deadline::After(*timeout));
  if (!answer) return Complain(context, answer.error());
  if (!answer->applied) {
    const std::string hint = answer->grant.empty() ? "" : fmt::format("; it would be allowed by: {}", answer->grant);
    return Complain(context, Error{Code::kDenied, fmt::format("{} (rule {}){}", answer->reason, answer->rule, hint)});
  }
  if (context.json()) return PrintJson(context, RulesJson(*run, answer->open, answer->rules));
  return Print(context, RulesText(answer->open, answer->rules));
}

}  // namespace writ::cli

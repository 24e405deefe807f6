#include <unistd.h>

#include "cli/commands.h"
#include "policy/load.h"
#include "policy/render.h"

namespace writ::cli {
namespace {

using canon::Json;

std::optional<std::string> Given(std::optional<std::string_view> path) {
  if (!path || path->empty()) return std::nullopt;
  return std::string(*path);
}

Json ToJson(const policy::Problem& problem) {
  Json json = Json::Of({{"fatal", problem.fatal}, {"path", problem.path}, {"text", problem.text}});
  if (problem.line > 0) json.Set("line", problem.line).Set("column", problem.column);
  return json;
}

int Report(Context& context, std::string_view source, const std::optional<policy::Policy>& policy,
           const std::vector<policy::Problem>& problems) {
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& problem : problems) list.Append(ToJson(problem));
    Json answer = Json::Of({{"ok", policy.has_value()}, {"source", source}, {"problems", std::move(list)}});
    if (policy) answer.Set("policyHash", policy->hash);
    const int printed = PrintJson(context, answer);
    return policy ? printed : 1;
  }
  std::string text;
  for (const auto& problem : problems) {
    text += fmt::format("{}{}\n", problem.fatal ? "" : "warning: ", policy::FormatProblem(problem, source));
  }
  if (policy) text += fmt::format("ok  {}  {}\n", OneLine(source), policy->hash);
  const int printed = Print(context, text);
  return policy ? printed : 1;
}

}  // namespace

int PolicyCheckCommand(Context& context) {
  std::string path(context.operand(0));
  if (path.empty()) {
    const auto local = policy::LoadLocal(std::nullopt, context.env);
    if (local) return Report(context, local->source, *local, local->warnings);
    if (local.error().code != Code::kInvalid) return Complain(context, local.error());
    const auto configured = policy::LocalPolicyPath(context.env, ::geteuid() == 0);
    if (!configured) return Complain(context, configured.error());
    path = *configured;  // exists, or the built-in policy would have been used
  }
  const auto text = policy::ReadPolicyFile(path);
  if (!text) return Complain(context, text.error());
  const auto checked = policy::Check(*text, path);
  return Report(context, path, checked.policy, checked.problems);
}

int PolicyShowCommand(Context& context) {
  const auto policy = policy::LoadLocal(Given(context.invocation.Value("policy")), context.env);
  if (!policy) return Complain(context, policy.error());
  if (context.json()) return PrintJson(context, policy::RenderJson(*policy));
  return Print(context, policy::RenderText(*policy));
}

}  // namespace writ::cli

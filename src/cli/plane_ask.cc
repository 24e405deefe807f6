#include "cli/plane_ask.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/escape.h"
#include "base/limits.h"
#include "base/shell_quote.h"
#include "base/units.h"
#include "contract/contract.h"
#include "contract/validators.h"
#include "policy/egress_rule.h"

namespace writ::cli {
namespace {

/// A word that is cut at its first `=`. Errors: kInvalid.
Result<std::pair<std::string, std::string>> CutAtEquals(std::string_view option, std::string_view text, std::string_view form) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return Fail(Code::kInvalid, "--{}: `{}` is not {}", option, EscapeVisible(text), form);
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

/// The part of the extension that options name; made when the first of them does.
contract::RequestExtension& Extension(client::RunAsk& ask) {
  if (!ask.writ) ask.writ.emplace();
  return *ask.writ;
}

/// Limits that the command line names. The wall clock is a limit of the original protocol too.
Result<> ReadNamedLimits(const Invocation& invocation, const Limits& limits, client::RunAsk& ask) {
  for (const LimitField& field : LimitFields()) {
    const bool wall = field.name == "wall-time";
    const std::string_view option = wall                      ? std::string_view("timeout")
                                    : field.name == "stdout" ? std::string_view("stdout-max")
                                    : field.name == "stderr" ? std::string_view("stderr-max")
                                                              : field.name;
    if (!invocation.Has(option)) continue;
    if (!wall) Extension(ask).limits.emplace(std::string(field.member), field.get(limits));
  }
  if (invocation.Has("timeout") && ask.writ) ask.writ->limits.emplace("wallTimeMs", limits.wall_time.count());
  return {};
}

Result<> ReadLabels(const Invocation& invocation, client::RunAsk& ask) {
  for (const auto text : invocation.Values("label")) {
    auto label = WRIT_TRY("label", CutAtEquals("label", text, "NAME=VALUE"));
    if (!contract::IsLabelText(label.first) || !contract::IsLabelText(label.second)) {
      return Fail(Code::kInvalid, "--label: `{}`: names and values have 1 to 128 of A-Z a-z 0-9 _ . : -", EscapeVisible(text));
    }
    Extension(ask).labels[label.first] = label.second;
  }
  return {};
}

Result<double> Amount(std::string_view option, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0) {
    return Fail(Code::kInvalid, "--{}: `{}` is not an amount such as 2.50", option, EscapeVisible(text));
  }
  return value;
}

/// Adds the mapping of `NAME=VARIABLE` to an execution.
Result<> AddSecret(std::string_view name, std::string_view variable, client::RunAsk& ask, contract::EnvSpec& env) {
  [[maybe_unused]] const auto checked = WRIT_TRY("--secret", contract::CheckSecretName(name));
  ask.secrets.emplace_back(name);
  if (variable.empty()) return {};
  if (!contract::IsEnvName(variable)) return Fail(Code::kInvalid, "--secret: `{}` is not a variable name", EscapeVisible(variable));
  env.secrets.push_back({std::string(variable), std::string(name)});
  return {};
}

contract::ExecutionSpec Argv(const std::vector<std::string>& argv) {
  contract::ExecutionSpec spec;
  spec.kind = contract::ExecutionKind::kArgv;
  spec.command = argv.front();
  spec.args.assign(argv.begin() + 1, argv.end());
  return spec;
}

std::string PromptOf(const std::vector<std::string>& argv) { return contract::FitText(ShellQuote(argv), contract::kPromptUnitsMax); }

/// The options of `writ run` that say something a plane has no words for.
struct Uncarried {
  std::string_view option, why;
};
constexpr std::array kUncarried{
    Uncarried{"root", "a root file system does not travel; a runner shows its own system directories"},
    Uncarried{"tty", "a run elsewhere has no terminal"},
    Uncarried{"policy", "the plane judges by its own policy"},
    Uncarried{"as", "the plane knows who you are by your token"},
    Uncarried{"resume", "an approved run of a plane goes on by itself"},
};

}  // namespace

Result<AskOptions> ReadAskOptions(const Invocation& invocation, std::string_view requested_by) {
  AskOptions options;
  client::RunAsk& ask = options.ask;
  const auto text = [&](std::string_view name) { return std::string(invocation.Value(name).value_or(std::string_view{})); };
  ask.requested_by = {"human", std::string(requested_by)};
  options.pool_named = invocation.Has("pool");
  options.agent_named = invocation.Has("agent");
  if (options.pool_named) ask.pool = text("pool");
  if (options.agent_named) ask.agent.kind = text("agent");
  if (invocation.Has("agent-version")) ask.agent.version = text("agent-version");
  if (invocation.Has("isolation")) ask.isolation = text("isolation");
  if (invocation.Has("disclosure")) ask.disclosure = text("disclosure");

  const std::vector<std::string> operands(invocation.operands.begin(), invocation.operands.end());
  const bool command = invocation.after_dashes;
  if (!command && operands.size() > 1) {
    return Fail(Code::kInvalid, "the task is one argument: put it in quotes, or put `--` before a command");
  }
  if (command && ask.agent.kind != "command") {
    return Fail(Code::kInvalid, "--agent {}: an agent gets a task in quotes, not a command", EscapeVisible(ask.agent.kind));
  }
  ask.prompt = command ? PromptOf(operands) : operands.front();
  contract::ExecutionSpec execution = command ? Argv(operands) : contract::DefaultExecution(ask.agent, ask.prompt);
  const contract::ExecutionSpec plain = execution;

  contract::EnvSpec env;
  for (const auto entry : invocation.Values("env")) {
    auto variable = WRIT_TRY("env", CutAtEquals("env", entry, "NAME=VALUE: a plane cannot take a value from your environment unseen; --secret asks for one of its own"));
    if (!contract::IsEnvName(variable.first)) return Fail(Code::kInvalid, "--env: `{}` is not a variable name", EscapeVisible(variable.first));
    if (LooksSecret(variable.first)) options.warnings.push_back(fmt::format("--env {}=... looks like a secret: its value stands in the signed contract in clear", variable.first));
    contract::SetEnv(env.vars, variable.first, variable.second);
  }
  for (const auto entry : invocation.Values("secret")) {
    const auto equals = entry.find('=');
    WRIT_TRY("secret", AddSecret(entry.substr(0, equals), equals == std::string_view::npos ? std::string_view{} : entry.substr(equals + 1), ask, env));
  }
  if (env != contract::EnvSpec{}) execution.env = env;
  if (invocation.Has("cwd")) {
    if (execution.kind == contract::ExecutionKind::kAgent) return Fail(Code::kInvalid, "--cwd: an agent begins in the workspace");
    execution.cwd = text("cwd");
  }

  for (const auto host : invocation.Values("allow-host")) ask.network.allow_hosts.push_back(WRIT_TRY("--allow-host", contract::CheckAllowHost(host)));
  for (const auto rule : invocation.Values("net")) {
    auto& writ = Extension(ask);
    if (!writ.egress) writ.egress.emplace();
    if (rule == "open") {
      writ.egress->open = true;
      continue;
    }
    [[maybe_unused]] const auto read = WRIT_TRY("--net", policy::ParseEgressRule(rule));
    writ.egress->rules.emplace_back(rule);
  }
  if (const auto tier = invocation.Value("tier")) Extension(ask).tier = std::string(*tier);
  if (const auto lost = invocation.Value("on-lost")) Extension(ask).on_lost = std::string(*lost);
  if (invocation.Value("on-output-limit") == "kill") Extension(ask).kill_on_output_limit = true;
  WRIT_TRY("labels", ReadLabels(invocation, ask));
  for (const auto one : invocation.Values("accept")) {
    auto accepted = WRIT_TRY("accept", CutAtEquals("accept", one, "LIMIT=MECHANISM, for example memory=rlimit"));
    Extension(ask).accept[accepted.first] = accepted.second;
  }
  Limits limits;
  for (const LimitField& field : LimitFields()) {
    const std::string_view option = field.name == "wall-time" ? "timeout" : field.name == "stdout" ? "stdout-max" : field.name == "stderr" ? "stderr-max" : field.name;
    if (const auto value = invocation.Value(option)) field.set(limits, WRIT_TRY(fmt::format("--{}", option), ParseLimit(field, *value)));
  }
  WRIT_TRY("limits", ReadNamedLimits(invocation, limits, ask));
  if (invocation.Has("timeout")) execution.timeout_ms = static_cast<std::uint64_t>(limits.wall_time.count());
  if (const auto spend = invocation.Value("budget-usd")) ask.budget.spend_usd_max = WRIT_TRY("budget", Amount("budget-usd", *spend));
  if (const auto duration = invocation.Value("max-duration")) {
    const Millis most = WRIT_TRY("--max-duration", ParseDuration(*duration));
    ask.budget.duration_min_max = static_cast<double>(most.count()) / 60000.0;
  }
  if (command || !(execution == plain)) ask.execution = execution;

  options.repository = invocation.Has("no-workspace") ? std::string() : std::string(invocation.Value("repo").value_or("."));
  if (invocation.Has("no-workspace") && invocation.Has("repo")) return Fail(Code::kInvalid, "--no-workspace and --repo contradict each other");
  for (const auto glob : invocation.Values("allow-untracked")) options.allow_untracked.emplace_back(glob);
  for (const auto glob : invocation.Values("deny")) options.deny.emplace_back(glob);
  options.deny_tracked = invocation.Has("deny-tracked");
  options.dry_run = invocation.Has("dry-run");
  options.wait = invocation.Has("wait");
  ask = WRIT_TRY("request", client::CheckAsk(std::move(ask)));
  return options;
}

Result<AskOptions> AskOfRun(const Invocation& invocation, const RunOptions& run, std::string_view requested_by) {
  for (const auto& [option, why] : kUncarried) {
    if (invocation.Has(option)) return Fail(Code::kInvalid, "--{} does not go with --plane: {}", option, why);
  }
  AskOptions options;
  client::RunAsk& ask = options.ask;
  const api::CreateRun& request = run.request;
  ask.requested_by = {"human", std::string(requested_by)};
  if (const auto pool = invocation.Value("pool")) ask.pool = *pool;
  ask.prompt = PromptOf(request.argv);
  ask.disclosure = "none";
  contract::ExecutionSpec execution = Argv(request.argv);
  contract::EnvSpec env;
  for (const auto& entry : request.env) {
    if (entry.source == api::EnvSource::kCaller) {
      return Fail(Code::kInvalid, "--env {} does not go with --plane: its value would have to stand in the contract; use {}=VALUE, or --secret for a "
                                  "secret of the plane",
                  entry.name, entry.name);
    }
    contract::SetEnv(env.vars, entry.name, entry.value);
  }
  for (const auto& secret : request.secrets) WRIT_TRY("secret", AddSecret(secret.name, secret.variable, ask, env));
  if (env != contract::EnvSpec{}) execution.env = env;
  if (!request.cwd.empty()) execution.cwd = request.cwd;

  auto& writ = Extension(ask);
  writ.tier = request.tier;
  writ.accept = contract::MechanismMap(request.accepted.begin(), request.accepted.end());
  writ.kill_on_output_limit = request.kill_on_output_limit;
  WRIT_TRY("limits", ReadNamedLimits(invocation, request.limits, ask));
  if (invocation.Has("timeout")) execution.timeout_ms = static_cast<std::uint64_t>(request.limits.wall_time.count());
  WRIT_TRY("labels", ReadLabels(invocation, ask));
  if (request.network.asked) {
    writ.egress.emplace();
    writ.egress->rules = request.network.rules;
    writ.egress->open = request.network.open;
    writ.egress->budget_bytes = request.network.budget_bytes;
  }
  for (const auto& output : request.outputs) writ.outputs.push_back({output.name, output.optional});
  ask.execution = std::move(execution);
  options.repository = request.workspace;
  options.dry_run = run.dry_run;
  options.wait = invocation.Has("wait");
  options.warnings = run.warnings;
  ask = WRIT_TRY("request", client::CheckAsk(std::move(ask)));
  return options;
}

}  // namespace writ::cli

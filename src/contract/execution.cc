#include "contract/execution.h"

#include <algorithm>
#include <cmath>

#include "contract/extension_parts.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/object_reader.h"
#include "contract/validators.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kTextMax = 1000000, kArgsMax = 10000, kArgMax = 100000, kVarsMax = 10000, kNamesMax = 256;

using extension_parts::TextArray;

Json EnvObject(const EnvList& list) {
  Json::Object members;
  for (const auto& [name, value] : list) members.emplace_back(name, value);
  return Json::FromObject(std::move(members));
}

Json ToJson(const EnvSpec& env) {
  Json json = Json::MakeObject();
  if (!env.inherit.empty()) json.Set("inherit", TextArray(env.inherit));
  if (!env.vars.empty()) json.Set("vars", EnvObject(env.vars));
  if (!env.secrets.empty()) {
    Json::Array mappings;
    for (const auto& mapping : env.secrets) {
      mappings.push_back(Json::Of({{"env", mapping.env}, {"secretName", mapping.secret_name}}));
    }
    json.Set("secrets", std::move(mappings));
  }
  if (env.egress_proxy) json.Set("egressProxy", *env.egress_proxy);
  return json;
}

Json ToJson(const LogSpec& log) {
  Json json = Json::Of({{"stdout", "capture"}, {"stderr", log.stderr_mode}});
  if (log.bytes_max) json.Set("maxBytes", *log.bytes_max);
  return json;
}

Result<> CheckName(const std::string& name, std::string_view path) {
  if (auto checked = CheckSecretName(name); !checked) return std::unexpected(std::move(checked).error().Doing(path));
  return {};
}

Result<EnvSpec> DecodeEnv(const Json& json, std::string_view path) {
  EnvSpec env;
  ObjectReader reader(json, path);
  reader.Each("inherit", kNamesMax, false, [&](const Json& item, std::string_view where) -> Result<> {
    if (!item.is_string()) return Fail(Code::kInvalid, "{}: must be a string", where);
    env.inherit.push_back(item.string());
    return CheckName(item.string(), where);
  });
  reader.Each("secrets", kNamesMax, false, [&](const Json& item, std::string_view where) -> Result<> {
    EnvSpec::Mapping mapping;
    ObjectReader inner(item, where);
    inner.Text("env", mapping.env, 1, 256);
    inner.Text("secretName", mapping.secret_name, 1, 256);
    inner.RefuseOthers();
    if (auto done = inner.Finish(); !done) return done;
    if (auto done = CheckName(mapping.env, where); !done) return done;
    if (auto done = CheckName(mapping.secret_name, where); !done) return done;
    env.secrets.push_back(std::move(mapping));
    return {};
  });
  reader.EachMember("vars", kVarsMax, false, [&](const std::string& name, const Json& value, std::string_view where) -> Result<> {
    if (name.empty() || name.size() > 256) return Fail(Code::kInvalid, "{}: a name must have 1 to 256 characters", where);
    // Neither can stand in an environment block, whatever the original accepts.
    if (name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      return Fail(Code::kInvalid, "{}: a name must not contain '=' or NUL", where);
    }
    if (!value.is_string() || value.string().size() > kArgMax) return Fail(Code::kInvalid, "{}: must be a string of at most {} bytes", where, kArgMax);
    env.vars.emplace_back(name, value.string());
    return {};
  });
  reader.Bool("egressProxy", env.egress_proxy);
  reader.RefuseOthers();
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return env;
}

Result<LogSpec> DecodeLog(const Json& json, std::string_view path) {
  LogSpec log;
  std::string stdout_mode;
  ObjectReader reader(json, path);
  reader.Text("stdout", stdout_mode, 1, 64);
  if (stdout_mode != "capture") reader.Refuse("stdout", "must be \"capture\"");
  reader.Text("stderr", log.stderr_mode, 1, 64);
  if (log.stderr_mode != "merge" && log.stderr_mode != "capture") reader.Refuse("stderr", "must be \"merge\" or \"capture\"");
  reader.Integer("maxBytes", log.bytes_max, 1);
  reader.RefuseOthers();
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return log;
}

/// A duration in minutes as whole milliseconds, at least 1 and never more than fits.
std::uint64_t MinutesToMillis(double minutes) {
  const double millis = std::ceil(minutes * 60000);
  return millis < 1 ? 1 : millis >= 9e15 ? std::uint64_t{9'000'000'000'000'000} : static_cast<std::uint64_t>(millis);
}

Result<> PrepareAgent(PreparedExecution& prepared, const ExecutionSpec& spec, const RunnerSide& runner) {
  prepared.kind = ExecutionKind::kArgv;
  const std::string& kind = spec.agent.kind;
  if (kind == "claude-code") {
    prepared.cmd = "claude", prepared.args = {"-p", spec.prompt, "--permission-mode", "acceptEdits"};
  } else if (kind == "codex") {
    prepared.cmd = "codex", prepared.args = {"exec", "--skip-git-repo-check", spec.prompt};
  } else if (kind == "pi") {
    prepared.cmd = "pi", prepared.args = {"--harness-only"};
  } else if (kind == "command") {
    prepared.cmd = "sh", prepared.args = {"-c", spec.prompt};
  } else if (kind == "mock") {
    if (runner.mock.empty()) return Fail(Code::kUnavailable, "this runner has no mock agent");
    prepared.cmd = runner.mock.front();
    prepared.args.assign(runner.mock.begin() + 1, runner.mock.end());
    prepared.args.push_back(spec.prompt);
  } else {
    return Fail(Code::kInvalid, "agent kind \"{}\" is not known; known are claude-code, codex, pi, mock, command", kind);
  }
  return {};
}

}  // namespace

std::string_view ExecutionKindName(ExecutionKind kind) {
  switch (kind) {
    case ExecutionKind::kShell: return "shell";
    case ExecutionKind::kArgv: return "argv";
    case ExecutionKind::kAgent: return "agent";
  }
  return "shell";
}

Json ToJson(const ExecutionSpec& spec) {
  Json json = Json::Of({{"kind", ExecutionKindName(spec.kind)}});
  switch (spec.kind) {
    case ExecutionKind::kShell:
      json.Set("script", spec.script);
      if (spec.shell) json.Set("shell", *spec.shell);
      break;
    case ExecutionKind::kArgv:
      json.Set("command", spec.command);
      json.Set("args", TextArray(spec.args));
      break;
    case ExecutionKind::kAgent:
      json.Set("agent", ToJson(spec.agent));
      json.Set("prompt", spec.prompt);
      break;
  }
  if (spec.cwd && spec.kind != ExecutionKind::kAgent) json.Set("cwd", *spec.cwd);
  if (spec.timeout_ms) json.Set("timeoutMs", *spec.timeout_ms);
  if (spec.env) json.Set("env", ToJson(*spec.env));
  if (spec.log) json.Set("log", ToJson(*spec.log));
  return json;
}

Result<ExecutionSpec> DecodeExecution(const Json& json, std::string_view path) {
  ExecutionSpec spec;
  std::string kind;
  ObjectReader reader(json, path);
  reader.Text("kind", kind, 1, 64);
  if (kind == "shell") {
    reader.Text("script", spec.script, 1, kTextMax);
    reader.Text("shell", spec.shell, 1, 64);
    if (spec.shell && *spec.shell != "sh" && *spec.shell != "bash") reader.Refuse("shell", "must be \"sh\" or \"bash\"");
    reader.Text("cwd", spec.cwd, 1, 4096);
  } else if (kind == "argv") {
    spec.kind = ExecutionKind::kArgv;
    reader.Text("command", spec.command, 1, 4096);
    reader.Texts("args", spec.args, kArgsMax, kArgMax);
    reader.Text("cwd", spec.cwd, 1, 4096);
  } else if (kind == "agent") {
    spec.kind = ExecutionKind::kAgent;
    if (const Json* agent = reader.Member("agent")) reader.Take(spec.agent, DecodeAgent(*agent, reader.Path("agent")));
    reader.Text("prompt", spec.prompt, 1, kTextMax);
  } else {
    reader.Refuse("kind", "must be \"shell\", \"argv\" or \"agent\"");
  }
  if (spec.cwd) {
    if (auto checked = CheckWorkspacePath(*spec.cwd); !checked) reader.Keep(std::move(checked).error().Doing(reader.Path("cwd")));
  }
  reader.Integer("timeoutMs", spec.timeout_ms, 1);
  if (const Json* env = reader.Member("env", false)) reader.Take(spec.env, DecodeEnv(*env, reader.Path("env")));
  if (const Json* log = reader.Member("log", false)) reader.Take(spec.log, DecodeLog(*log, reader.Path("log")));
  reader.RefuseOthers();
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return spec;
}

ExecutionSpec DefaultExecution(const AgentSpec& agent, std::string_view prompt) {
  ExecutionSpec spec;
  if (agent.kind == "command") {
    spec.script = prompt;
  } else {
    spec.kind = ExecutionKind::kAgent;
    spec.agent = agent;
    spec.prompt = prompt;
  }
  return spec;
}

Result<PreparedExecution> Prepare(const ExecutionSpec& spec, const Budget& budget, const RunnerSide& runner) {
  PreparedExecution prepared;
  prepared.kind = spec.kind;
  if (spec.kind == ExecutionKind::kShell) {
    prepared.script = spec.script;
    prepared.shell = spec.shell.value_or("sh");
  } else if (spec.kind == ExecutionKind::kArgv) {
    prepared.cmd = spec.command;
    prepared.args = spec.args;
  } else if (auto done = PrepareAgent(prepared, spec, runner); !done) {
    return std::unexpected(std::move(done).error());
  }
  if (spec.kind != ExecutionKind::kAgent) prepared.cwd = spec.cwd.value_or(".");
  if (budget.duration_min_max) prepared.timeout_ms = MinutesToMillis(*budget.duration_min_max);
  if (spec.timeout_ms) prepared.timeout_ms = *spec.timeout_ms;
  if (spec.log) prepared.log_bytes_max = spec.log->bytes_max;
  if (spec.env) {
    for (const std::string& name : spec.env->inherit) {
      const auto found = std::ranges::find(runner.environment, name, [](const auto& pair) { return pair.first; });
      if (found != runner.environment.end()) SetEnv(prepared.env, name, found->second);
    }
    for (const auto& [name, value] : spec.env->vars) SetEnv(prepared.env, name, value);
    for (const auto& mapping : spec.env->secrets) {
      SetEnv(prepared.env, mapping.env, std::string(kSecretPlaceholder) + mapping.secret_name);
    }
    prepared.egress_proxy = spec.env->egress_proxy.value_or(true);
  }
  return prepared;
}

Json ToJson(const PreparedExecution& prepared) {
  Json json = Json::Of({{"kind", ExecutionKindName(prepared.kind)}});
  if (prepared.kind == ExecutionKind::kShell) {
    json.Set("script", prepared.script).Set("shell", prepared.shell);
  } else {
    json.Set("cmd", prepared.cmd).Set("args", TextArray(prepared.args));
  }
  json.Set("cwd", prepared.cwd).Set("timeoutMs", prepared.timeout_ms);
  if (prepared.log_bytes_max) json.Set("logMaxBytes", *prepared.log_bytes_max);
  json.Set("env", EnvObject(prepared.env)).Set("egressProxy", prepared.egress_proxy);
  return json;
}

Result<std::string> ExecutionHash(const PreparedExecution& prepared) {
  Json json = Json::Of({{"kind", ExecutionKindName(prepared.kind)}, {"cwd", prepared.cwd}});
  if (prepared.kind == ExecutionKind::kShell) {
    json.Set("script", prepared.script).Set("shell", prepared.shell);
  } else {
    json.Set("cmd", prepared.cmd).Set("args", TextArray(prepared.args));
  }
  return HashCanonical(json);
}

bool SupportedByProcessTier(const ExecutionSpec& spec) {
  return spec.kind != ExecutionKind::kAgent || (IsKnownAgentKind(spec.agent.kind) && spec.agent.kind != "pi");
}

std::string UnsupportedText(std::string_view backend, const ExecutionSpec& spec, std::string_view agent_kind) {
  return fmt::format("backend \"{}\" cannot run {} execution for agent \"{}\"", backend, ExecutionKindName(spec.kind), agent_kind);
}

void SetEnv(EnvList& list, std::string_view name, std::string_view value) {
  const auto found = std::ranges::find(list, name, [](const auto& pair) -> std::string_view { return pair.first; });
  if (found != list.end()) {
    found->second = value;
  } else {
    list.emplace_back(name, value);
  }
}

EnvList ResolveEnvironment(const EnvList& prepared, const std::vector<ReleasedSecret>& secrets) {
  EnvList resolved;
  for (const ReleasedSecret& secret : secrets) SetEnv(resolved, secret.name, secret.value);
  for (const auto& [name, value] : prepared) {
    if (!value.starts_with(kSecretPlaceholder)) {
      SetEnv(resolved, name, value);
      continue;
    }
    const std::string_view wanted = std::string_view(value).substr(kSecretPlaceholder.size());
    const auto found = std::ranges::find(secrets, wanted, [](const ReleasedSecret& secret) -> std::string_view { return secret.name; });
    if (found != secrets.end()) SetEnv(resolved, name, found->value);
  }
  return resolved;
}

}  // namespace writ::contract

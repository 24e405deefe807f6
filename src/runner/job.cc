#include "runner/job.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "contract/validators.h"
#include "crypto/secret.h"
#include "session/inherit.h"
#include "sys/file.h"

namespace writ::runner {
namespace {

using contract::EnvList;

constexpr std::string_view kWorkDirectory = "/work";
constexpr const char* kSystemPath = "/usr/local/bin:/usr/bin:/bin";
constexpr std::uint64_t kStreamRoom = 1 << 20;  // beyond a log's limit, so that the limit of both streams is met first

/// Errors: kUnavailable in the words of the original runner.
Result<const TierBackend*> FindBackend(const Options& options, const std::string& tier) {
  const TierBackend* found = nullptr;
  std::size_t count = 0;
  for (const auto& entry : options.backends) {
    if (entry.backend->tier() != tier) continue;
    found = &entry;
    ++count;
  }
  if (count > 1)
    return Fail(Code::kUnavailable, "runner has {} backends for isolation \"{}\"; register exactly one per tier", count, tier);
  if (count == 0) return Fail(Code::kUnavailable, "runner has no backend for isolation \"{}\"", tier);
  return found;
}

const AgentInstall* InstallOf(const Options& options, std::string_view kind) {
  const auto found = std::ranges::find(options.agents, kind, &AgentInstall::kind);
  return found == options.agents.end() ? nullptr : &*found;
}

Result<isolation::Layer> OpenTools(const std::string& directory) {
  auto fd = WRIT_TRY("agent directory", sys::OpenDirectory(directory));
  return isolation::Layer{directory, std::move(fd)};
}

/// `/opt/agents` and what lies below it.
std::string AgentPlace(std::string_view bin) {
  std::string place(isolation::kToolsPlace);
  if (!bin.empty() && bin != ".") place += fmt::format("/{}", bin);
  return place;
}

void AppendEntries(std::vector<std::string>& entries, EnvList& list) {
  for (auto& [name, value] : list) {
    std::string entry;
    entry.reserve(name.size() + 1 + value.size());
    entries.push_back(std::move(entry.append(name).append("=").append(value)));
    crypto::Wipe(value);
  }
}

/// What a local run is given and a distant one is not.
Result<> CheckExtension(const contract::ContractExtension& writ) {
  if (writ.root) return Fail(Code::kUnavailable, "this runner has no root file system \"{}\"", writ.root->label);
  return {};
}

Result<std::string> WorkDirectory(const contract::PreparedExecution& prepared) {
  if (prepared.cwd.empty() || prepared.cwd == ".") return std::string(kWorkDirectory);
  return contract::ResolveInside(kWorkDirectory, prepared.cwd);
}

void ApplyLogLimit(Job& job, std::uint64_t bytes_max) {
  job.log_bytes_max = bytes_max;
  const std::uint64_t most = std::min(FindLimit("stdout")->most, FindLimit("stderr")->most);
  job.asked.stdout_bytes = std::max(job.asked.stdout_bytes, std::min(bytes_max, most));
  job.asked.stderr_bytes = std::max(job.asked.stderr_bytes, std::min(bytes_max, most));
  const std::uint64_t room = std::min(bytes_max, most - std::min(most, kStreamRoom)) + kStreamRoom;
  job.spec.limits.stdout_bytes = std::max(job.spec.limits.stdout_bytes, std::min(room, most));
  job.spec.limits.stderr_bytes = std::max(job.spec.limits.stderr_bytes, std::min(room, most));
}

}  // namespace

std::vector<std::string> JobEnvironment(const contract::PreparedExecution& prepared, const std::vector<contract::ReleasedSecret>& secrets,
                                        const Options& options, bool plain, bool network, const std::string& agent_bin) {
  const auto own_path = options.env ? options.env("PATH") : std::nullopt;
  std::string path = !plain ? kSystemPath : own_path && !own_path->empty() ? *own_path : "/usr/bin:/bin";
  if (!agent_bin.empty()) path = agent_bin + ":" + path;
  EnvList env = {{"PATH", path}, {"HOME", "/tmp/home"}};
  if (!plain) {
    env.emplace_back("TMPDIR", "/tmp");
    env.emplace_back("LANG", "C.UTF-8");
    env.emplace_back("TZ", "UTC");
  }
  if (network && prepared.egress_proxy) {
    const std::string proxy = fmt::format("http://127.0.0.1:{}", isolation::kProxyPort);
    for (const auto* name : {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}) env.emplace_back(name, proxy);
    if (!plain) {
      for (const auto* name : {"ALL_PROXY", "all_proxy"}) env.emplace_back(name, proxy);
      for (const auto* name : {"NO_PROXY", "no_proxy"}) env.emplace_back(name, "localhost,127.0.0.1,::1");
    }
  }
  EnvList asked = contract::ResolveEnvironment(prepared.env, secrets);
  for (auto& [name, value] : asked) {
    contract::SetEnv(env, name, value);
    crypto::Wipe(value);
  }
  std::vector<std::string> entries;
  AppendEntries(entries, env);
  return entries;
}

Result<Job> PrepareJob(const contract::Contract& contract, const std::vector<contract::ReleasedSecret>& secrets,
                       const std::map<std::string, std::string>& secret_hosts, const Options& options) {
  Job job;
  const auto execution = WRIT_TRY("contract", contract::DecodeExecution(contract.execution, "contract.execution"));
  if (!contract.writ.is_null()) {
    job.writ = WRIT_TRY("contract", contract::DecodeContractExtension(contract.writ));
    WRIT_TRY("contract", CheckExtension(*job.writ));
  }
  const std::string tier = job.writ ? job.writ->tier : contract.isolation.value_or("process");
  const auto found = FindBackend(options, tier);
  if (!found) return std::unexpected(found.error());  // the text is that of the original runner
  const TierBackend* entry = *found;
  if (!(entry->can_run ? entry->can_run(execution) : contract::SupportedByProcessTier(execution)))
    return Fail(Code::kUnavailable, "{}", contract::UnsupportedText(tier, execution, contract.agent.kind));
  job.backend = entry->backend.get();

  const std::string kind = execution.kind == contract::ExecutionKind::kAgent ? execution.agent.kind : "";
  contract::RunnerSide side;
  if (execution.env && options.env) {
    EnvList own;
    for (const auto& name : execution.env->inherit)
      if (auto value = options.env(name)) own.emplace_back(name, *std::move(value));
    side.environment = session::Inheritable(options.inherit, own);
  }
  std::string agent_bin;
  if (const AgentInstall* install = InstallOf(options, kind)) {
    job.spec.tools = WRIT_TRY("agent " + kind, OpenTools(install->directory));
    agent_bin = AgentPlace(install->bin);
  } else if (kind == "mock" && options.mock) {
    job.spec.tools = WRIT_TRY("mock agent", OpenTools(options.mock->directory));
    side.mock = {AgentPlace(options.mock->program)};
    side.mock.insert(side.mock.end(), options.mock->arguments.begin(), options.mock->arguments.end());
  }
  const auto prepared = WRIT_TRY("execution", contract::Prepare(execution, contract.budget, side));
  job.execution_hash = WRIT_TRY("execution", contract::ExecutionHash(prepared));

  job.spec.limits = job.writ ? job.writ->limits : options.limits;
  if (!job.writ || execution.timeout_ms || contract.budget.duration_min_max) {
    const auto most = FindLimit("wall-time")->most;
    const Millis time(static_cast<std::int64_t>(std::min(prepared.timeout_ms, most)));
    job.spec.limits.wall_time = job.writ ? std::min(job.spec.limits.wall_time, time) : time;
    job.budget_time = !execution.timeout_ms && contract.budget.duration_min_max.has_value();
  }
  job.spec.accepted = job.writ ? isolation::Mechanisms(job.writ->accept.begin(), job.writ->accept.end()) : options.accepted;
  job.spec.kill_on_output_limit = job.writ && job.writ->kill_on_output_limit;
  if (job.writ && job.writ->terminal) job.spec.terminal = isolation::SessionSpec::Terminal{};
  job.asked = job.spec.limits;
  if (prepared.log_bytes_max) ApplyLogLimit(job, *prepared.log_bytes_max);

  if (prepared.kind == contract::ExecutionKind::kShell) {
    job.spec.argv = {prepared.shell, "-c", prepared.script};
  } else {
    job.spec.argv = {prepared.cmd};
    job.spec.argv.insert(job.spec.argv.end(), prepared.args.begin(), prepared.args.end());
  }
  job.spec.cwd = WRIT_TRY("execution", WorkDirectory(prepared));
  const bool network = !job.writ || job.writ->egress.has_value();
  std::vector<contract::ReleasedSecret> shown;
  for (const auto& secret : secrets) {
    const auto bound = secret_hosts.find(secret.name);
    if (bound != secret_hosts.end()) {
      job.edge.push_back({secret.name, crypto::SecretBytes::CopyOf(AsBytes(secret.value)), bound->second, secrets::MakePlaceholder(secret.name)});
      shown.push_back({secret.name, job.edge.back().placeholder});
    } else {
      shown.push_back(secret);
    }
  }
  job.spec.env = JobEnvironment(prepared, shown, options, !job.writ, network, agent_bin);
  for (auto& secret : shown) crypto::Wipe(secret.value);
  if (job.writ)
    for (const auto& output : job.writ->outputs) job.outputs.push_back({output.name, output.optional});

  std::vector<secrets::RedactedValue> hidden;
  std::vector<std::string> marks;
  marks.reserve(secrets.size());
  for (const auto& secret : secrets) {
    if (!job.writ) marks.push_back(fmt::format("[REDACTED:{}]", secret.name));
    hidden.push_back({secret.name, AsBytes(secret.value), job.writ ? std::string_view() : marks.back()});
  }
  if (!hidden.empty()) job.redaction = WRIT_TRY("secrets", secrets::RedactionPatterns::Make(hidden));
  return job;
}

std::vector<std::string> AgentKinds(const Options& options) {
  std::vector<std::string> kinds = {"command"};
  if (options.mock) kinds.emplace_back("mock");
  for (const auto& [kind, program] : {std::pair{"claude-code", "claude"}, {"codex", "codex"}}) {
    bool there = InstallOf(options, kind) != nullptr;
    for (const char* place : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) there = there || ::access(fmt::format("{}{}", place, program).c_str(), X_OK) == 0;
    if (there) kinds.emplace_back(kind);
  }
  const contract::ExecutionSpec pi{.kind = contract::ExecutionKind::kAgent, .script = {}, .shell = {}, .command = {}, .args = {},
                                   .agent = {"pi", {}}, .prompt = "x", .cwd = {}, .timeout_ms = {}, .env = {}, .log = {}};
  if (std::ranges::any_of(options.backends, [&](const TierBackend& entry) { return entry.can_run && entry.can_run(pi); }))
    kinds.emplace_back("pi");
  return kinds;
}

}  // namespace writ::runner

#include "api/draft_contract.h"

#include <algorithm>
#include <utility>

#include "api/check_request.h"
#include "api/run_network.h"
#include "api/run_secrets.h"
#include "base/shell_quote.h"
#include "contract/execution.h"
#include "contract/extension.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "crypto/secret.h"
#include "workspace/manifest.h"

namespace writ::api {
namespace {

using canon::Json;

constexpr std::string_view kPool = "local";
constexpr std::string_view kAgentKind = "command";
constexpr std::string_view kWorkDirectory = "/work";

Json LimitsJson(const Limits& limits) {
  Json json = Json::MakeObject();
  for (const LimitField& field : LimitFields()) json.Set(field.member, field.get(limits));
  return json;
}

Json AcceptJson(const isolation::Mechanisms& accepted) {
  Json json = Json::MakeObject();
  for (const auto& [limit, mechanism] : accepted) json.Set(limit, mechanism);
  return json;
}

/// What was asked, with placeholders where secrets belong.
contract::EnvList AskedEnvironment(const CreateRun& request) {
  contract::EnvList env;
  for (const auto& entry : request.env) contract::SetEnv(env, entry.name, entry.value);
  for (const auto& secret : request.secrets) {
    if (!secret.variable.empty()) contract::SetEnv(env, secret.variable, std::string(contract::kSecretPlaceholder) + secret.name);
  }
  return env;
}

contract::ExecutionSpec ExecutionOf(const CreateRun& request) {
  contract::ExecutionSpec spec;
  spec.kind = contract::ExecutionKind::kArgv;
  spec.command = request.argv.front();
  spec.args.assign(request.argv.begin() + 1, request.argv.end());
  if (!request.cwd.empty()) spec.cwd = request.cwd;
  spec.timeout_ms = static_cast<std::uint64_t>(request.limits.wall_time.count());
  contract::EnvSpec env;
  for (const auto& entry : request.env) {
    std::erase_if(env.vars, [&](const auto& known) { return known.first == entry.name; });
    std::erase(env.inherit, entry.name);
    if (entry.source == EnvSource::kLiteral) {
      env.vars.emplace_back(entry.name, entry.value);
    } else {
      env.inherit.push_back(entry.name);
    }
  }
  for (const auto& secret : request.secrets)
    if (!secret.variable.empty()) env.secrets.push_back({secret.variable, secret.name});
  env.egress_proxy = request.network.asked;
  spec.env = std::move(env);
  return spec;
}

contract::ContractExtension ExtensionOf(const CreateRun& request, const session::Materialised& given) {
  contract::ContractExtension writ;
  writ.tier = request.tier;
  writ.weakest = request.tier;
  writ.limits = request.limits;
  writ.accept = request.accepted;
  writ.kill_on_output_limit = request.kill_on_output_limit;
  for (const auto& input : given.inputs)
    writ.inputs.push_back({input.name, std::string(workspace::EntryTypeName(input.type)), input.sha256, input.bytes,
                           input.executable});
  for (const auto& output : request.outputs) writ.outputs.push_back({output.name, output.optional});
  if (given.workspace.valid()) writ.workspace = {.mode = "copy-on-write", .sha256 = workspace::DigestOf(given.manifest)};
  if (given.root.valid()) {
    const std::size_t slash = given.root_path.rfind('/');
    const std::string name = given.root_path.substr(slash + 1);
    writ.root = {.label = contract::FitText(name.empty() ? "/" : name, 256), .sha256 = {}};
  }
  for (const auto& entry : request.env)
    if (entry.source == EnvSource::kCaller) writ.env_from_caller.push_back(entry.name);
  writ.terminal = request.terminal.has_value();
  writ.egress = EgressGrantOf(request.network);
  if (!request.identity.empty()) writ.identity = request.identity;
  writ.nonce = contract::MakeNonce();
  return writ;
}

}  // namespace

policy::Request ToPolicyRequest(const CreateRun& request) {
  policy::Request asked;
  asked.agent_kind = kAgentKind;
  asked.pool = kPool;
  for (const auto& secret : request.secrets)
    if (std::ranges::find(asked.secrets, secret.name) == asked.secrets.end()) asked.secrets.push_back(secret.name);
  asked.egress = EgressAskOf(request.network);
  asked.tier = request.tier;
  asked.limits = request.limits;
  for (const auto& [limit, mechanism] : request.accepted) asked.accepted.emplace(limit, mechanism);
  if (!request.identity.empty()) asked.identity = request.identity;
  asked.tool = request.argv.front();
  return asked;
}

DecisionView ToView(const policy::Decision& decision, const policy::Policy& policy) {
  DecisionView view;
  switch (decision.verdict) {
    case policy::Verdict::kAllow: view.verdict = Verdict::kAllow; break;
    case policy::Verdict::kNeedsApproval: view.verdict = Verdict::kNeedsApproval; break;
    case policy::Verdict::kDeny: view.verdict = Verdict::kDeny; break;
  }
  view.reasons = decision.verdict == policy::Verdict::kNeedsApproval ? decision.ConsentRequirements()
                                                                      : decision.Reasons();
  if (view.reasons.empty()) view.reasons.push_back(decision.reason);
  view.rule = decision.rule;
  view.grant = fmt::format("{}", fmt::join(decision.SmallestGrant(), "\n"));
  view.policy_hash = policy.hash;
  view.policy_source = policy.source;
  return view;
}

Result<std::string> DigestOfRequest(const CreateRun& request) {
  Json argv = Json::MakeArray();
  for (const auto& word : request.argv) argv.Append(word);
  Json env = Json::MakeArray();
  for (const auto& entry : request.env)
    env.Append(entry.source == EnvSource::kLiteral ? entry.name + "=" + entry.value : entry.name);
  Json secrets = Json::MakeArray();
  for (const auto& secret : request.secrets)
    secrets.Append(secret.variable.empty() ? secret.name : secret.name + "=" + secret.variable);
  Json inputs = Json::MakeArray(), outputs = Json::MakeArray();
  for (const auto& input : request.inputs) inputs.Append(input.path + ":" + InputName(input));
  for (const auto& output : request.outputs) outputs.Append(output.name + (output.optional ? "?" : ""));
  return contract::HashCanonical(Json::Of({{"argv", std::move(argv)},
                                           {"cwd", request.cwd},
                                           {"env", std::move(env)},
                                           {"secrets", std::move(secrets)},
                                           {"workspace", request.workspace},
                                           {"root", request.root},
                                           {"inputs", std::move(inputs)},
                                           {"outputs", std::move(outputs)},
                                           {"tier", request.tier},
                                           {"limits", LimitsJson(request.limits)},
                                           {"accept", AcceptJson(request.accepted)},
                                           {"network", NetworkJson(request.network)},
                                           {"identity", request.identity},
                                           {"requestedBy", request.caller.name}}));
}

std::vector<workspace::DeclaredOutput> DeclaredOutputs(const CreateRun& request) {
  std::vector<workspace::DeclaredOutput> declared;
  for (const auto& output : request.outputs) declared.push_back({output.name, output.optional});
  return declared;
}

session::Sources ToSources(const CreateRun& request) {
  session::Sources sources{request.workspace, request.root, {}};
  for (const auto& input : request.inputs) sources.inputs.push_back({input.path, InputName(input)});
  return sources;
}

std::vector<std::string> EnvironmentOf(const CreateRun& request, const std::vector<contract::ReleasedSecret>& released) {
  contract::EnvList env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                           {"HOME", "/tmp/home"},
                           {"TMPDIR", "/tmp"},
                           {"LANG", "C.UTF-8"},
                           {"TZ", "UTC"}};
  for (auto& entry : ProxyEnvironment(request.network)) env.push_back(std::move(entry));
  contract::EnvList asked = contract::ResolveEnvironment(AskedEnvironment(request), released);
  for (auto& [name, value] : asked) {
    contract::SetEnv(env, name, value);
    crypto::Wipe(value);
  }
  std::vector<std::string> entries;
  for (auto& [name, value] : env) {
    std::string entry;
    entry.reserve(name.size() + 1 + value.size());
    entries.push_back(std::move(entry.append(name).append("=").append(value)));
    crypto::Wipe(value);
  }
  return entries;
}

isolation::SessionSpec ToSpec(const CreateRun& request) {
  isolation::SessionSpec spec;
  spec.argv = request.argv;
  spec.env = EnvironmentOf(request, {});
  spec.cwd = kWorkDirectory;
  if (!request.cwd.empty() && request.cwd != ".") spec.cwd += "/" + request.cwd;
  spec.limits = request.limits;
  spec.accepted = request.accepted;
  spec.kill_on_output_limit = request.kill_on_output_limit;
  spec.terminal = request.terminal;
  return spec;
}

Result<contract::Contract> DraftContract(const CreateRun& request, const session::Materialised& given,
                                         const policy::Policy& policy, std::string run_id) {
  contract::Contract draft;
  draft.run_id = std::move(run_id);
  draft.requested_by = {"human", request.caller.name};
  draft.agent.kind = kAgentKind;
  draft.prompt = contract::FitText(ShellQuote(request.argv), contract::kPromptUnitsMax);
  draft.pool = kPool;
  draft.workspace = given.wire_manifest;
  draft.policy_hash = policy.hash;
  draft.secrets = ClaimsOf(request, policy);
  draft.network = NetworkPolicyOf(request.network);
  draft.disclosure = "none";
  draft.execution = contract::ToJson(ExecutionOf(request));
  if (request.tier != "process") draft.isolation = request.tier;
  draft.writ = contract::ToJson(ExtensionOf(request, given));
  if (request.stdin_fd.valid()) draft.writ.Set("stdin", true);  // who approves is to know that more is said than stands here
  return draft;
}

Result<std::string> ExecutionHashOf(const CreateRun& request) {
  const auto prepared = WRIT_TRY("execution", contract::Prepare(ExecutionOf(request), {}, {}));
  return contract::ExecutionHash(prepared);
}

}  // namespace writ::api

#include "client/run_ask.h"

#include <algorithm>

#include "base/limits.h"
#include "contract/contract.h"
#include "contract/validators.h"

namespace writ::client {
namespace {

using canon::Json;

Json Texts(const std::vector<std::string>& texts) {
  Json list = Json::MakeArray();
  for (const auto& text : texts) list.Append(text);
  return list;
}

/// Members of `asked` that `given` lacks or has with another value, by path.
bool Covers(const Json& given, const Json& asked) {
  if (!asked.is_object()) return given == asked;
  if (!given.is_object()) return false;
  return std::ranges::all_of(asked.object(), [&](const Json::Member& member) {
    const Json* found = given.Find(member.first);
    return found && Covers(*found, member.second);
  });
}

bool IsSubset(const std::vector<std::string>& few, const std::vector<std::string>& many) {
  return std::ranges::all_of(few, [&](const std::string& one) { return std::ranges::find(many, one) != many.end(); });
}

/// Compares a contract with what was asked for, member by member.
class Comparison {
 public:
  Comparison(const Json& contract, const RunAsk& ask) : contract_(contract), ask_(ask) {}

  std::vector<std::string> Run() {
    auto decoded = contract::DecodeContract(contract_);
    if (!decoded) return {fmt::format("the contract cannot be read: {}", decoded.error().what)};
    const contract::Contract& contract = *decoded;
    Same("agent", contract.agent == ask_.agent);
    Same("task.prompt", contract.prompt == ask_.prompt);
    Same("runner.pool", contract.pool == ask_.pool);
    Same("requestedBy", contract.requested_by == ask_.requested_by);
    Same("workspace", contract.workspace == contract::ToJson(ask_.workspace));
    Same("budget", contract.budget == ask_.budget);
    Same("disclosure", contract.disclosure == ask_.disclosure);
    Same("continuation", contract.continuation == ask_.continuation);
    Same("isolation", contract.isolation.value_or("process") == ask_.isolation.value_or("process"));
    const auto execution = ask_.execution ? *ask_.execution : contract::DefaultExecution(ask_.agent, ask_.prompt);
    const auto signed_execution = contract::DecodeExecution(contract.execution);
    Same("execution", signed_execution && *signed_execution == execution);
    std::vector<std::string> secrets;
    for (const auto& claim : contract.secrets) secrets.push_back(claim.name);
    if (!IsSubset(secrets, ask_.secrets)) Wrong("secrets names more than was asked");
    const bool open = ask_.writ && ask_.writ->egress && ask_.writ->egress->open;
    if (!contract.network.default_deny && ask_.network.default_deny && !open) Wrong("network opens every host");
    if (!IsSubset(contract.network.allow_hosts, ask_.network.allow_hosts)) Wrong("network names more hosts than was asked");
    CompareExtension(contract.writ);
    return std::move(problems_);
  }

 private:
  void Wrong(std::string_view what) { problems_.push_back(fmt::format("the contract's {}", what)); }
  void Same(std::string_view member, bool same) {
    if (!same) Wrong(fmt::format("{} is not what was asked", member));
  }

  void CompareExtension(const Json& writ) {
    if (writ.is_null()) {
      if (ask_.writ) Wrong("writ member is missing: its limits do not hold");
      return;
    }
    const auto extension = contract::DecodeContractExtension(writ);
    if (!extension) return Wrong(fmt::format("writ member cannot be read: {}", extension.error().what));
    const contract::RequestExtension asked = ask_.writ.value_or(contract::RequestExtension{});  // a plane may add what narrows
    if (asked.tier) Same("writ.tier", extension->tier == *asked.tier);
    if (asked.weakest) Same("writ.weakest", extension->weakest == *asked.weakest);
    const Json signed_limits = *writ.Find("limits");  // DecodeContractExtension saw it
    for (const auto& [member, most] : asked.limits) {
      const Json* value = signed_limits.Find(member);
      if (!value || !value->is_number() || value->number() > static_cast<double>(most)) {
        Wrong(fmt::format("writ.limits.{} is more than was asked", member));
      }
    }
    Same("writ.accept", extension->accept == asked.accept);
    Same("writ.labels", extension->labels == asked.labels);
    Same("writ.onLost", extension->on_lost.value_or("fail") == asked.on_lost.value_or("fail"));
    Same("writ.outputs", extension->outputs == asked.outputs);
    Same("writ.inputs", extension->inputs == asked.inputs);
    Same("writ.stdin", extension->stdin_content == asked.stdin_content);
    if (!extension->egress) return;
    std::vector<std::string> rules = ask_.network.allow_hosts;
    if (asked.egress) rules.insert(rules.end(), asked.egress->rules.begin(), asked.egress->rules.end());
    if (!IsSubset(extension->egress->rules, rules)) Wrong("writ.egress has more rules than was asked");
    if (extension->egress->open && ask_.network.default_deny && !(asked.egress && asked.egress->open)) Wrong("writ.egress opens every host");
    if (asked.egress && asked.egress->budget_bytes &&
        extension->egress->budget_bytes.value_or(UINT64_MAX) > *asked.egress->budget_bytes) {
      Wrong("writ.egress.budgetBytes is more than was asked");
    }
  }

  const Json& contract_;
  const RunAsk& ask_;
  std::vector<std::string> problems_;
};

}  // namespace

Result<RunAsk> CheckAsk(RunAsk ask) {
  [[maybe_unused]] const auto pool = WRIT_TRY("pool", contract::CheckPoolName(ask.pool));
  for (const auto& name : ask.secrets) {
    [[maybe_unused]] const auto checked = WRIT_TRY("secret", contract::CheckSecretName(name));
  }
  if (ask.secrets.size() > 256) return Fail(Code::kInvalid, "secrets: {} names, at most 256", ask.secrets.size());
  if (ask.network.allow_hosts.size() > 1000) {
    return Fail(Code::kInvalid, "hosts: {} names, at most 1000", ask.network.allow_hosts.size());
  }
  for (auto& host : ask.network.allow_hosts) host = WRIT_TRY("host", contract::CheckAllowHost(host));
  if (ask.prompt.empty()) return Fail(Code::kInvalid, "the task is empty");
  if (contract::FitText(ask.prompt, contract::kPromptUnitsMax) != ask.prompt) {
    return Fail(Code::kInvalid, "the task is longer than {} characters or no UTF-8", contract::kPromptUnitsMax);
  }
  if (!contract::IsDisclosureMode(ask.disclosure)) return Fail(Code::kInvalid, "disclosure: there is no mode `{}`", ask.disclosure);
  if (ask.execution) {  // the plane's reader is ours: what it refuses is refused here, before anything is uploaded
    [[maybe_unused]] const auto read = WRIT_TRY("execution", contract::DecodeExecution(contract::ToJson(*ask.execution)));
  }
  return ask;
}

Json RequestJson(const RunAsk& ask) {
  Json json = Json::Of({{"requestedBy", contract::ToJson(ask.requested_by)}, {"agentKind", ask.agent.kind}});
  if (ask.agent.version) json.Set("agentVersion", *ask.agent.version);
  json.Set("prompt", ask.prompt)
      .Set("pool", ask.pool)
      .Set("secretNames", Texts(ask.secrets))
      .Set("workspace", contract::ToJson(ask.workspace))
      .Set("network", contract::ToJson(ask.network))
      .Set("budget", contract::ToJson(ask.budget))
      .Set("disclosure", ask.disclosure);
  if (ask.execution) json.Set("execution", contract::ToJson(*ask.execution));
  if (ask.isolation) json.Set("isolation", *ask.isolation);
  if (ask.continuation) json.Set("continuation", contract::ToJson(*ask.continuation));
  if (ask.writ) json.Set("writ", contract::ToJson(*ask.writ));
  return json;
}

bool EchoCovers(const Json* echo, const Json& asked) { return echo != nullptr && Covers(*echo, asked); }

std::vector<std::string> Mismatches(const Json& contract, const RunAsk& ask) { return Comparison(contract, ask).Run(); }

}  // namespace writ::client

#include "runner/ceiling.h"

#include <gmock/gmock.h>

#include "policy/load.h"
#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

using canon::Json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A runner whose operator allows little, and a plane that signs whatever it likes.
class CeilingTest : public RunnerTest {
 protected:
  static constexpr std::string_view kPolicy = R"(
version: 1
runners: {allowPools: [default]}
agents: {allow: [command, claude-code]}
tiers: {allow: [process]}
limits: {memory: 256M, wall-time: 15m}
accept: [pids=rlimit]
tools: {deny: [shutdown]}
network: {defaultDeny: true, allowHosts: [api.example.org, 192.0.2.7]}
egress: {rules: ["*.example.net:443"], budget: 1G}
secrets: {releasable: [{name: TOK, scope: x, pools: [default]}]}
budget: {maxSpendUsd: 5, maxDurationMin: 30}
)";

  Options Bounded(std::string_view text = kPolicy) {
    Options options = MakeOptions();
    auto policy = policy::Load(text, "test");
    EXPECT_TRUE(policy) << policy.error().what;
    if (policy) options.policy = *std::move(policy);
    return options;
  }
  static Json Shell() { return Json::Of({{"kind", "shell"}, {"script", "true"}}); }
  static Json Argv(std::string command) { return Json::Of({{"kind", "argv"}, {"command", std::move(command)}, {"args", Json::MakeArray()}}); }
  /// A `writ` member with small limits, changed by `change`.
  static Json Writ(const std::function<void(contract::ContractExtension&)>& change = {}) {
    contract::ContractExtension writ;
    writ.limits.memory_bytes = 128u << 20;
    writ.decision = std::string(64, 'b');
    writ.nonce = contract::MakeNonce();
    if (change) change(writ);
    return contract::ToJson(writ);
  }
  static Json WithEgress(contract::EgressGrant grant) {
    return Writ([&](contract::ContractExtension& writ) { writ.egress = std::move(grant); });
  }
};

TEST_F(CeilingTest, WhatAsksForMoreIsRefusedAndTheRuleIsNamed) {
  struct Case {
    const char* why;
    ScriptedPlane::RunSpec spec;
    std::string says;
  };
  const std::uint64_t large = 1u << 30;
  contract::NetworkPolicy open;
  open.default_deny = false;
  const Case cases[] = {
      {"host, original protocol", {.network = {true, {"api.example.org", "other.example.org"}}},
       R"(network.allowHosts: network host "other.example.org" is not in the policy allowlist (add "other.example.org" to network.allowHosts))"},
      {"address, original protocol", {.network = {true, {"192.0.2.8"}}}, R"(egress rule "192.0.2.8" is not below)"},
      {"no guard, original protocol", {.network = open}, "writ.egress.open: every public host"},
      {"what matches nothing", {.network = {true, {"*.example.net"}}}, R"("*.example.net" is not below)"},
      {"host", {.writ = WithEgress({.rules = {"x.example.net:80"}, .budget_bytes = 1000})}, R"(writ.egress.rules: egress rule "x.example.net:80")"},
      {"private range", {.writ = WithEgress({.rules = {"10.0.0.0/8:5432"}, .budget_bytes = 1000})}, R"(egress rule "10.0.0.0/8:5432")"},
      {"no budget", {.writ = WithEgress({.rules = {"x.example.net:443"}, .budget_bytes = {}})}, "writ.egress.budgetBytes: no network budget"},
      {"large budget", {.writ = WithEgress({.rules = {"x.example.net:443"}, .budget_bytes = 2 * large})}, "requested network budget 2G exceeds"},
      {"memory", {.writ = Writ([&](auto& writ) { writ.limits.memory_bytes = large; })},
       "writ.limits.memoryBytes: requested memory 1G exceeds policy ceiling 256M (raise limits.memory to 1G)"},
      {"weaker enforcement", {.writ = Writ([](auto& writ) { writ.accept = {{"memory", "rlimit"}}; })}, R"(writ.accept: weaker enforcement "memory=rlimit")"},
      {"time", {.execution = Json::Of({{"kind", "shell"}, {"script", "true"}, {"timeoutMs", 16 * 60'000}})}, "requested wall-time 16m exceeds policy ceiling 15m"},
      {"time by its budget", {.budget = {.spend_usd_max = {}, .duration_min_max = 20}}, "requested wall-time 20m exceeds"},
      {"duration", {.budget = {.spend_usd_max = {}, .duration_min_max = 31}, .writ = Writ()}, "budget.maxDurationMin: requested duration 31m"},
      {"spend", {.budget = {.spend_usd_max = 6, .duration_min_max = {}}}, "budget.maxSpendUsd: requested budget $6"},
      {"log", {.execution = Json::Of({{"kind", "shell"}, {"script", "true"}, {"log", Json::Of({{"stdout", "capture"}, {"stderr", "merge"}, {"maxBytes", 900 << 20}})}})},
       "writ.limits.stdoutBytes: requested stdout 900M"},
      {"tool", {.execution = Argv("shutdown")}, R"(writ.tools.deny[0]: tool "shutdown" is restricted)"},
      {"no budget, original protocol", {.network = {true, {"api.example.org"}}}, "writ.egress.budgetBytes: no network budget"},
      {"secret", {.secrets = {{"OTHER", "value-of-other"}}}, R"(secrets.releasable: secret "OTHER")"},
      {"agent", {.agent = "codex"}, R"(agents.allow: agent kind "codex" is not allowed)"},
      {"another agent than is named", {.execution = Json::Of({{"kind", "agent"}, {"agent", Json::Of({{"kind", "codex"}})}, {"prompt", "x"}})},
       R"(agents.allow: agent kind "codex" is not allowed)"},
      {"a named agent that does not run", {.execution = Json::Of({{"kind", "agent"}, {"agent", Json::Of({{"kind", "claude-code"}})}, {"prompt", "x"}}), .agent = "codex"},
       R"(agents.allow: agent kind "codex" is not allowed)"},
  };
  auto runner = Make(Bounded());
  std::atomic<int> fetched = 0;
  plane_->before = [&](const std::string& method, const std::string&, const std::string&) {
    fetched += method == "GET";
    return std::nullopt;
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    seen_argv_.clear();
    ScriptedPlane::RunSpec spec = c.spec;
    spec.workspace.dirty_diff_hash = plane_->PutBlob("a difference");
    const std::string id = plane_->AddRun(spec);
    EXPECT_EQ(RunOnce(*runner), "");
    const Failure failure = FailureOf(id);
    EXPECT_EQ(failure.failure, "policy_denied");
    EXPECT_THAT(failure.message, HasSubstr(c.says));
    EXPECT_THAT(failure.message, HasSubstr("denied by the runner's own policy: "));
    EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
    EXPECT_THAT(plane_->EventTypes(id), Contains("writ.policy.judged"));
    EXPECT_TRUE(seen_argv_.empty()) << "it was started";
  }
  EXPECT_EQ(fetched, 0) << "something was fetched before it was judged";
}

TEST_F(CeilingTest, WhatStaysBelowRunsAsItWasSigned) {
  const Json writ = Writ([](contract::ContractExtension& own) {
    own.accept = {{"pids", "rlimit"}};
    own.egress = contract::EgressGrant{.rules = {"api.example.org", "x.example.net:443 GET /v1/**"}, .budget_bytes = 1000};
  });
  auto runner = Make(Bounded());
  const std::string id = plane_->AddRun({.execution = Argv("reboot-not"), .secrets = {{"TOK", "the value"}}, .budget = {.spend_usd_max = 5, .duration_min_max = 15}, .writ = writ});
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(plane_->Get(id).status, "completed") << FailureOf(id).message;
  EXPECT_EQ(seen_limits_.memory_bytes, 128u << 20);
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  const auto run = plane_->Get(id);
  const auto judged = std::ranges::find_if(run.events, [](const Json& entry) { return *entry.Find("event")->FindString("type") == "writ.policy.judged"; });
  ASSERT_NE(judged, run.events.end());
  const Json* facts = judged->Find("event")->Find("writ");
  EXPECT_EQ(*facts->FindString("decision"), "allow");
  EXPECT_EQ(*facts->FindString("policyHash"), policy::Load(kPolicy, "test")->hash);
}

TEST_F(CeilingTest, AContractThatNamesNoLimitsGetsTheOperatorsOwn) {
  std::string policy(kPolicy);
  policy.erase(policy.find(", budget: 1G"), std::string_view(", budget: 1G").size());  // which that protocol cannot ask for
  auto runner = Make(Bounded(policy));
  const std::string id = plane_->AddRun({.network = {true, {"API.example.org", "192.0.2.7"}}});
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(plane_->Get(id).status, "completed") << FailureOf(id).message;
  EXPECT_EQ(seen_limits_.memory_bytes, 256u << 20);
}

TEST_F(CeilingTest, NobodyCanBeAskedAtARunner) {
  auto runner = Make(Bounded(std::string(kPolicy) + "consent: [{when: any-run, approvers: [alice]}]\n"));
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(FailureOf(id), (Failure{"policy_denied", "the runner's own policy wants consent (consent[0]), and a runner has nobody to ask: "
                                                     "consent required: any-run"}));
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST_F(CeilingTest, ATierThatIsNotAllowedIsNeitherAnnouncedNorRun) {
  Json announced;
  plane_->before = [&](const std::string&, const std::string& path, const std::string& body) {
    if (path == "/v1/claims") announced = *canon::Parse(body, canon::Mode::kStrict)->Find("writ");
    return std::nullopt;
  };
  auto runner = Make(Bounded("version: 1\nrunners: {allowPools: [default]}\nagents: {allow: [mock]}\ntiers: {allow: [microvm]}\n"));
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(announced.Find("tiers")->array().size(), 0u);
  EXPECT_EQ(announced.Find("agents")->array().size(), 0u);
  EXPECT_THAT(FailureOf(id).message, AllOf(HasSubstr(R"(agents.allow: agent kind "command")"), HasSubstr(R"(writ.tiers.allow: tier "process" is not allowed)")));
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST_F(CeilingTest, ManyReasonsAreCutAndSecretsStayOut) {
  std::vector<std::string> hosts;
  for (int i = 0; i < 900; ++i) hosts.push_back(fmt::format("h{}.value-of-tok.test", i));
  auto runner = Make(Bounded());
  const std::string id = plane_->AddRun({.secrets = {{"TOK", "value-of-tok"}}, .network = {true, hosts}});
  EXPECT_EQ(RunOnce(*runner), "");
  const Failure failure = FailureOf(id);
  EXPECT_EQ(failure.failure, "policy_denied");
  EXPECT_THAT(failure.message, AllOf(HasSubstr("h9."), Not(HasSubstr("h10.")), HasSubstr("; and 891 more"), Not(HasSubstr("value-of-tok"))));
}

TEST_F(CeilingTest, IdentitiesAreRefusedBeforeAnythingStarts) {
  const auto made = Runner::Create(Bounded("version: 1\nidentities: [{id: alice, tools: [\"*\"]}]\n"));
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().what, HasSubstr("a runner cannot judge identities"));
}

}  // namespace
}  // namespace writ::runner

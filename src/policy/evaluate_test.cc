#include "policy/evaluate.h"

#include <gtest/gtest.h>

#include <limits>

#include "canon/vectors_for_test.h"
#include "policy/load.h"

namespace writ::policy {
namespace {

using canon::Json;

std::vector<std::string> TextsOf(const Json* list) {
  std::vector<std::string> texts;
  for (const Json& item : list->array()) texts.push_back(item.string());
  return texts;
}

class PolicyVector : public testing::TestWithParam<test::VectorCase> {};

TEST_P(PolicyVector, DecidesAsRecorded) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& recorded = GetParam().value;
  const auto policy = FromJson(*recorded.Find("policy"), "vector");
  ASSERT_TRUE(policy) << policy.error().what;
  EXPECT_EQ(policy->hash, *recorded.FindString("policyHash"));

  const Json& asked = *recorded.Find("request");
  Request request;
  request.agent_kind = *asked.FindString("agentKind");
  request.pool = *asked.FindString("pool");
  request.secrets = TextsOf(asked.Find("secretNames"));
  request.hosts = TextsOf(asked.Find("allowHosts"));
  if (const Json* value = asked.Find("maxSpendUsd")) request.spend_usd = value->number();
  if (const Json* value = asked.Find("maxDurationMin")) request.duration_min = value->number();
  const Decision decision = Evaluate(*policy, request);

  if (const Json* denied = recorded.Find("denied")) {
    EXPECT_EQ(decision.verdict, Verdict::kDeny);
    EXPECT_EQ(decision.reason, *denied->FindString("message"));
    EXPECT_EQ(decision.Reasons(), TextsOf(denied->Find("reasons")));
    EXPECT_FALSE(decision.SmallestGrant().empty());
    return;
  }
  const Json& expected = *recorded.Find("decision");
  EXPECT_EQ(VerdictName(decision.verdict), *expected.FindString("decision"));
  EXPECT_EQ(decision.reason, *expected.FindString("reason"));
  EXPECT_EQ(decision.ConsentRequirements(), TextsOf(expected.Find("consentRequirements")));
  EXPECT_TRUE(decision.SmallestGrant().empty());
}

INSTANTIATE_TEST_SUITE_P(Warrant, PolicyVector, testing::ValuesIn(test::VectorCases("policy.json", "cases")),
                         test::VectorCaseName);

TEST(PolicyVectors, DefaultPolicyHasTheRecordedHash) {
  const Json file = test::VectorFile("policy.json");
  ASSERT_TRUE(file.is_object());
  const auto policy = FromJson(*file.Find("defaultPolicy"), "vector");
  ASSERT_TRUE(policy) << policy.error().what;
  EXPECT_EQ(policy->hash, *file.FindString("defaultPolicyHash"));
}

constexpr std::string_view kPolicyText = R"(
version: 1
name: test
runners: {allowPools: [local]}
agents: {allow: [command]}
tiers: {allow: [process, microvm]}
limits: {wall-time: 5m, cpus: 1.5, memory: 64M, pids: 10}
accept: [memory=rlimit]
tools: {deny: [shutdown]}
identities:
  - id: alice
    tools: ["*"]
  - id: bob
    tools: [make]
  - id: idle
    tools: []
network: {allowHosts: [ok.test]}
secrets:
  releasable:
    - {name: A, scope: s, pools: [local]}
    - {name: A, scope: s, pools: [other]}
budget: {maxSpendUsd: 1, maxDurationMin: 10}
)";

Policy TestPolicy() {
  auto policy = Load(kPolicyText, "test");
  EXPECT_TRUE(policy) << policy.error().what;
  return *std::move(policy);
}

Request TestRequest() {
  Request request;
  request.agent_kind = "command";
  request.pool = "local";
  request.identity = "alice";
  request.tool = "make";
  request.limits.emplace();
  request.limits->wall_time = std::chrono::minutes{5};
  request.limits->cpu_millis = 1500;
  request.limits->memory_bytes = 64u << 20;
  request.limits->pids = 10;
  return request;
}

TEST(Evaluate, AllowsExactlyAtEveryCeiling) {
  const Decision decision = Evaluate(TestPolicy(), TestRequest());
  EXPECT_EQ(decision.verdict, Verdict::kAllow) << decision.reason;
  EXPECT_EQ(decision.rule, "default");
  EXPECT_EQ(decision.reason, "policy allows this run");
}

TEST(Evaluate, NearMissesAreDeniedWithRuleReasonAndGrant) {
  struct Case {
    const char* why;
    std::function<void(Request&)> change;
    const char *rule, *reason, *grant;
  };
  const Case cases[] = {
      {"a kind that only begins alike", [](Request& r) { r.agent_kind = "command2"; }, "agents.allow",
       "agent kind \"command2\" is not allowed", "add \"command2\" to agents.allow"},
      {"letter case counts", [](Request& r) { r.pool = "Local"; }, "runners.allowPools",
       "runner pool \"Local\" is not allowed", "add \"Local\" to runners.allowPools"},
      {"no pool", [](Request& r) { r.pool = ""; }, "runners.allowPools", "runner pool \"\" is not allowed",
       "add \"\" to runners.allowPools"},
      {"a subdomain is not implied", [](Request& r) { r.hosts = {"a.ok.test"}; }, "network.allowHosts",
       "network host \"a.ok.test\" is not in the policy allowlist", "add \"a.ok.test\" to network.allowHosts"},
      {"a trailing dot is another host", [](Request& r) { r.hosts = {"ok.test."}; }, "network.allowHosts",
       "network host \"ok.test.\" is not in the policy allowlist", "add \"ok.test.\" to network.allowHosts"},
      {"secret unknown", [](Request& r) { r.secrets = {"B"}; }, "secrets.releasable",
       "secret \"B\" is not releasable under policy", "add a rule for \"B\" with pool \"local\" to secrets.releasable"},
      {"over the budget", [](Request& r) { r.spend_usd = 1.01; }, "budget.maxSpendUsd",
       "requested budget $1.01 exceeds policy ceiling $1", "raise budget.maxSpendUsd to 1.01"},
      {"a budget that is no number", [](Request& r) { r.spend_usd = std::numeric_limits<double>::quiet_NaN(); },
       "budget.maxSpendUsd", "requested budget $NaN exceeds policy ceiling $1", "raise budget.maxSpendUsd to NaN"},
      {"an endless duration", [](Request& r) { r.duration_min = std::numeric_limits<double>::infinity(); },
       "budget.maxDurationMin", "requested duration Infinitym exceeds policy ceiling 10m",
       "raise budget.maxDurationMin to Infinity"},
      {"a restricted tool beats every identity", [](Request& r) { r.tool = "shutdown"; }, "writ.tools.deny[0]",
       "tool \"shutdown\" is restricted", "remove \"shutdown\" from tools.deny"},
      {"unknown identity", [](Request& r) { r.identity = "Alice"; }, "writ.identities",
       "identity \"Alice\" is not allowed", "add \"Alice\" to identities"},
      {"no identity", [](Request& r) { r.identity.reset(); }, "writ.identities",
       "the policy allows only named identities and the request has none",
       "name an identity of the policy in the request"},
      {"another tool", [](Request& r) { r.identity = "bob", r.tool = "make "; }, "writ.identities[1].tools",
       "identity \"bob\" may not run \"make \"", "add \"make \" to identities[1].tools"},
      {"no tool", [](Request& r) { r.identity = "bob", r.tool.reset(); }, "writ.identities[1].tools",
       "identity \"bob\" may not run \"\"", "add \"\" to identities[1].tools"},
      {"an empty tool list", [](Request& r) { r.identity = "idle"; }, "writ.identities[2].tools",
       "identity \"idle\" may not run \"make\"", "add \"make\" to identities[2].tools"},
      {"another tier", [](Request& r) { r.tier = "wasm"; }, "writ.tiers.allow", "tier \"wasm\" is not allowed",
       "add \"wasm\" to tiers.allow"},
      {"a weaker tier than allowed", [](Request& r) { r.weakest_tier = "oci"; }, "writ.tiers.allow",
       "weakest accepted tier \"oci\" is not allowed", "add \"oci\" to tiers.allow"},
      {"no isolation at all", [](Request& r) { r.weakest_tier = "none"; }, "writ.runners.legacy",
       "weakest accepted tier \"none\" is not allowed", "set runners.legacy to allow"},
      {"one millisecond more", [](Request& r) { r.limits->wall_time += Millis{1}; }, "writ.limits.wallTimeMs",
       "requested wall-time 5m1ms exceeds policy ceiling 5m", "raise limits.wall-time to 5m1ms"},
      {"one byte more", [](Request& r) { ++r.limits->memory_bytes; }, "writ.limits.memoryBytes",
       "requested memory 67108865 exceeds policy ceiling 64M", "raise limits.memory to 67108865"},
      {"a thousandth of a core more", [](Request& r) { ++r.limits->cpu_millis; }, "writ.limits.cpuMillis",
       "requested cpus 1.501 exceeds policy ceiling 1.5", "raise limits.cpus to 1.501"},
      {"over the default where the policy has no ceiling", [](Request& r) { r.limits->open_files = 1025; },
       "writ.limits.openFiles", "requested files 1025 exceeds policy ceiling 1024", "raise limits.files to 1025"},
      {"zero is not unlimited", [](Request& r) { r.limits->pids = 0; }, "writ.limits.pids",
       "requested pids is zero, which never means unlimited", "ask for a pids of at most 10"},
      {"a negative time", [](Request& r) { r.limits->cpu_time = Millis{-1}; }, "writ.limits.cpuTimeMs", nullptr,
       nullptr},
      {"another mechanism", [](Request& r) { r.accepted["memory"] = "none"; }, "writ.accept",
       "weaker enforcement \"memory=none\" is not allowed", "add \"memory=none\" to accept"},
  };
  const Policy policy = TestPolicy();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Request request = TestRequest();
    c.change(request);
    const Decision decision = Evaluate(policy, request);
    EXPECT_EQ(decision.verdict, Verdict::kDeny);
    ASSERT_EQ(decision.denials.size(), 1u);
    EXPECT_EQ(decision.rule, c.rule);
    EXPECT_EQ(decision.denials[0].rule, c.rule);
    if (c.reason != nullptr) {
      EXPECT_EQ(decision.reason, std::string("policy denied: ") + c.reason);
      EXPECT_EQ(decision.denials[0].reason, c.reason);
      EXPECT_EQ(decision.SmallestGrant(), std::vector<std::string>{c.grant});
    }
  }
}

TEST(Evaluate, AcceptsWhatThePolicyNames) {
  struct Case {
    const char* why;
    std::function<void(Request&)> change;
  };
  const Case cases[] = {
      {"an allowed tool", [](Request& r) { r.identity = "bob"; }},
      {"any tool of an identity with *", [](Request& r) { r.tool = "anything"; }},
      {"a stronger tier", [](Request& r) { r.tier = "microvm"; }},
      {"an allowed weakest tier", [](Request& r) { r.tier = "microvm", r.weakest_tier = "process"; }},
      {"an allowed mechanism", [](Request& r) { r.accepted["memory"] = "rlimit"; }},
      {"an allowed host", [](Request& r) { r.hosts = {"ok.test"}; }},
      {"an allowed secret; the first rule of a name counts", [](Request& r) { r.secrets = {"A"}; }},
      {"a budget below", [](Request& r) { r.spend_usd = 0; }},
      {"no limits in the request", [](Request& r) { r.limits.reset(); }},
  };
  const Policy policy = TestPolicy();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Request request = TestRequest();
    c.change(request);
    const Decision decision = Evaluate(policy, request);
    EXPECT_EQ(decision.verdict, Verdict::kAllow) << decision.reason;
  }
}

TEST(Evaluate, AllObjectionsAreCollectedTheProtocolsFirst) {
  Request request = TestRequest();
  request.agent_kind = "x";
  request.tier = "oci";
  request.hosts = {"no.test"};
  request.limits->pids = 11;
  request.accepted["groups"] = "kept";
  const Decision decision = Evaluate(TestPolicy(), request);
  ASSERT_EQ(decision.denials.size(), 5u);
  EXPECT_EQ(decision.rule, "agents.allow");
  EXPECT_EQ(decision.denials[1].rule, "network.allowHosts");
  EXPECT_EQ(decision.denials[2].rule, "writ.tiers.allow");
  EXPECT_EQ(decision.denials[3].rule, "writ.limits.pids");
  EXPECT_EQ(decision.denials[4].rule, "writ.accept");
  EXPECT_EQ(decision.SmallestGrant().size(), 5u);
}

TEST(Evaluate, ConsentCarriesWhoMayAnswer) {
  const auto policy = Load(R"(
version: 1
runners: {allowPools: [local]}
agents: {allow: [command]}
tiers: {allow: [process]}
consent:
  - {when: any-run, approvers: [alice]}
  - {when: secret-release, approvers: [bob]}
  - {when: agent-kind, match: command, approvers: [alice, bob], required: 2, notRequester: true, expires: 1h}
  - {when: agent-kind, match: codex, approvers: [alice]}
)",
                           "test");
  ASSERT_TRUE(policy) << policy.error().what;
  Request request = TestRequest();
  request.limits.reset();
  const Decision decision = Evaluate(*policy, request);
  EXPECT_EQ(decision.verdict, Verdict::kNeedsApproval);
  EXPECT_EQ(decision.reason, "consent required: any-run; agent-kind:command");
  ASSERT_EQ(decision.consent.size(), 2u);
  EXPECT_EQ(decision.consent[0].required, 1u);
  EXPECT_EQ(decision.consent[0].approvers, std::vector<std::string>{"alice"});
  EXPECT_EQ(decision.consent[1].rule, "consent[2]");
  EXPECT_EQ(decision.consent[1].required, 2u);
  EXPECT_TRUE(decision.consent[1].not_requester);
  EXPECT_EQ(decision.consent[1].expires, Millis{3'600'000});
}

TEST(Evaluate, AnEmptyPolicyAndAnEmptyDecisionDeny) {
  EXPECT_EQ(Decision{}.verdict, Verdict::kDeny);
  EXPECT_EQ(Evaluate(Policy{}, Request{}).verdict, Verdict::kDeny);
  EXPECT_EQ(Evaluate(Policy{}, TestRequest()).verdict, Verdict::kDeny);
}

TEST(LocalDefault, GrantsTheLocalUserWhatTheCommandLineNamesUpToTheDefaults) {
  const Policy policy = LocalDefault();
  EXPECT_EQ(policy.name, "local-default");
  EXPECT_TRUE(policy.warnings.empty());
  Request request;
  request.agent_kind = "command";
  request.pool = "local";
  request.limits = Limits{};
  request.tool = "make";
  request.hosts = {"example.org"};
  request.secrets = {"TOKEN"};
  request.accepted = {{"memory", "rlimit"}, {"groups", "kept"}};
  EXPECT_EQ(Evaluate(policy, request).verdict, Verdict::kAllow) << Evaluate(policy, request).reason;
  for (const LimitField& limit : LimitFields()) {
    Request more = request;
    limit.set(*more.limits, limit.get(Limits{}) + 1);
    const Decision decision = Evaluate(policy, more);
    EXPECT_EQ(decision.verdict, Verdict::kDeny) << limit.name;
    EXPECT_EQ(decision.rule, fmt::format("writ.limits.{}", limit.member));
  }
  request.tier = "wasm";
  EXPECT_EQ(Evaluate(policy, request).verdict, Verdict::kDeny);
}

}  // namespace
}  // namespace writ::policy

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/evaluate.h"
#include "policy/load.h"

// Attack case 17: a policy that says less, or something else, than its author meant must not allow more.
namespace writ::policy {
namespace {

Request PlainRequest() {
  Request request;
  request.agent_kind = "command";
  request.pool = "local";
  request.limits = Limits{};
  return request;
}

/// What happens to a request under this text: a policy that cannot be read lets nothing run.
std::string Outcome(std::string_view text, const Request& request = PlainRequest()) {
  const auto policy = Load(text, "p");
  if (!policy) return "refused";
  return std::string(VerdictName(Evaluate(*policy, request).verdict));
}

std::string Yaml(std::string_view runners, std::string_view agents, std::string_view tiers,
                 std::string_view rest = "") {
  return fmt::format("version: 1\n{}\n{}\n{}\n{}\n", runners, agents, tiers, rest);
}
constexpr const char* kRunners = "runners: {allowPools: [local]}";
constexpr const char* kAgents = "agents: {allow: [command]}";
constexpr const char* kTiers = "tiers: {allow: [process]}";

TEST(Attack17_PolicyLists, TheWholePolicyAllows) { EXPECT_EQ(Outcome(Yaml(kRunners, kAgents, kTiers)), "allow"); }

TEST(Attack17_PolicyLists, EmptyNullMissingOrMisspelledNeverAllows) {
  struct Case {
    const char *why, *runners, *agents, *tiers, *outcome;
  };
  const Case cases[] = {
      {"empty pools", "runners: {allowPools: []}", kAgents, kTiers, "deny"},
      {"null pools", "runners: {allowPools: }", kAgents, kTiers, "deny"},
      {"tilde", "runners: {allowPools: ~}", kAgents, kTiers, "deny"},
      {"missing pools", "runners: {}", kAgents, kTiers, "deny"},
      {"missing section", "", kAgents, kTiers, "deny"},
      {"null section", "runners:", kAgents, kTiers, "deny"},
      {"misspelled list", "runners: {allowPool: [local]}", kAgents, kTiers, "refused"},
      {"misspelled section", "runner: {allowPools: [local]}", kAgents, kTiers, "refused"},
      {"letter case of a key", "Runners: {allowPools: [local]}", kAgents, kTiers, "refused"},
      {"a word instead of a list", "runners: {allowPools: local}", kAgents, kTiers, "refused"},
      {"a mapping instead of a list", "runners: {allowPools: {local: true}}", kAgents, kTiers, "refused"},
      {"a list in the list", "runners: {allowPools: [[local]]}", kAgents, kTiers, "refused"},
      {"null in the list", "runners: {allowPools: [~]}", kAgents, kTiers, "refused"},
      {"empty name", "runners: {allowPools: ['']}", kAgents, kTiers, "refused"},
      {"a star is only a name here", "runners: {allowPools: ['*']}", kAgents, kTiers, "deny"},
      {"empty agents", kRunners, "agents: {allow: []}", kTiers, "deny"},
      {"null agents", kRunners, "agents: {allow: null}", kTiers, "deny"},
      {"missing agents", kRunners, "", kTiers, "deny"},
      {"misspelled kind", kRunners, "agents: {allow: [comand]}", kTiers, "refused"},
      {"empty tiers", kRunners, kAgents, "tiers: {allow: []}", "deny"},
      {"missing tiers", kRunners, kAgents, "", "deny"},
      {"misspelled tier", kRunners, kAgents, "tiers: {allow: [proces]}", "refused"},
      {"empty identities", kRunners, kAgents, "tiers: {allow: [process]}\nidentities: []", "deny"},
      {"null identities", kRunners, kAgents, "tiers: {allow: [process]}\nidentities:", "deny"},
      {"null consent would ask less", kRunners, kAgents, "tiers: {allow: [process]}\nconsent:", "refused"},
      {"null restricted tools would allow more", kRunners, kAgents, "tiers: {allow: [process]}\ntools: {deny: }",
       "refused"},
      {"misspelled consent", kRunners, kAgents, "tiers: {allow: [process]}\nconcent: [{when: any-run}]", "refused"},
      {"a consent rule without its kind", kRunners, kAgents,
       "tiers: {allow: [process]}\nconsent: [{when: agent-kind, approvers: [a]}]", "refused"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(Outcome(Yaml(c.runners, c.agents, c.tiers)), c.outcome);
  }
}

TEST(Attack17_PolicyLists, HostsAndSecretsDefaultToNothing) {
  Request host = PlainRequest();
  host.hosts = {"example.org"};
  Request secret = PlainRequest();
  secret.secrets = {"A"};
  for (const char* rest : {"", "network:", "network: {}", "network: {allowHosts: }", "network: {allowHosts: []}",
                           "network: {defaultDeny: true}", "secrets:", "secrets: {}", "secrets: {releasable: []}",
                           "secrets: {releasable: }", "secrets: {releasable: [{name: A, scope: s}]}",
                           "secrets: {releasable: [{name: A, scope: s, pools: []}]}"}) {
    SCOPED_TRACE(rest);
    EXPECT_EQ(Outcome(Yaml(kRunners, kAgents, kTiers, rest), host), "deny");
    EXPECT_EQ(Outcome(Yaml(kRunners, kAgents, kTiers, rest), secret), "deny");
  }
  for (const char* rest : {"network: {defaultDeny: }", "network: {defaultDeny: no}", "network: {defaultDeny: 'false'}",
                           "network: {defaultdeny: false}", "secrets: {own: yes}"}) {
    SCOPED_TRACE(rest);
    EXPECT_EQ(Outcome(Yaml(kRunners, kAgents, kTiers, rest), host), "refused");
  }
}

TEST(Attack17_PolicyJson, EmptyNullMissingOrMisspelledNeverAllows) {
  struct Case {
    const char *why, *text, *outcome;
  };
  const Case cases[] = {
      {"whole", R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]}})",
       "allow"},
      {"null list", R"({"version":"warrant.policy.v1","runners":{"allowPools":null},"agents":{"allow":["command"]}})",
       "deny"},
      {"null section", R"({"version":"warrant.policy.v1","runners":null,"agents":{"allow":["command"]}})", "deny"},
      {"missing", R"({"version":"warrant.policy.v1","agents":{"allow":["command"]}})", "deny"},
      {"misspelled",
       R"({"version":"warrant.policy.v1","runners":{"allowpools":["local"]},"agents":{"allow":["command"]}})",
       "refused"},
      {"the same name twice",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":[]},"runners":{"allowPools":["local"]},"agents":{"allow":["command"]}})",
       "refused"},
      {"another version",
       R"({"version":"warrant.policy.v2","runners":{"allowPools":["local"]},"agents":{"allow":["command"]}})",
       "refused"},
      {"an extension with empty tiers",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"writ":{"v":1}})",
       "deny"},
      {"an extension of an unknown version",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"writ":{"v":2,"tiers":{"allow":["process"]}}})",
       "refused"},
      {"a misspelled extension",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"writ":{"v":1,"tiers":{"allow":["process"]},"identites":[]}})",
       "refused"},
      {"extension members at the wrong place",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"identities":[]})",
       "refused"},
      {"an extension of consent that does not fit the rules",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"consent":[],"writ":{"v":1,"tiers":{"allow":["process"]},"consent":[{"required":2}]}})",
       "refused"},
      {"null consent",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"consent":null})",
       "refused"},
      {"an overflowing number",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"budget":{"maxSpendUsd":1e309,"maxDurationMin":1}})",
       "refused"},
      {"a negative budget",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"budget":{"maxSpendUsd":-1,"maxDurationMin":1}})",
       "refused"},
      {"a zero limit",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"writ":{"v":1,"tiers":{"allow":["process"]},"limits":{"pids":0}}})",
       "refused"},
      {"a limit beyond its type",
       R"({"version":"warrant.policy.v1","runners":{"allowPools":["local"]},"agents":{"allow":["command"]},"writ":{"v":1,"tiers":{"allow":["process"]},"limits":{"pids":4294967552}}})",
       "refused"},
      {"a comment",
       R"({"version":"warrant.policy.v1" /* x */,"runners":{"allowPools":["local"]},"agents":{"allow":["command"]}})",
       "refused"},
      {"an array", "[]", "refused"},
      {"nothing", "", "refused"},
      {"null", "null", "refused"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(Outcome(c.text), c.outcome);
  }
}

TEST(Attack17_PolicyYaml, TricksOfTheFormatAreRefused) {
  struct Case {
    const char *why, *rest, *says;
  };
  const Case cases[] = {
      {"a key twice", "agents: {allow: [codex]}", "stands here twice"},
      {"a key twice, quoted", "\"agents\": {allow: [codex]}", "stands here twice"},
      {"anchor", "name: &a x", "an anchor is refused"},
      {"anchor on a list", "network: {allowHosts: &h [a.test]}", "an anchor is refused"},
      {"alias", "name: *a", "anchor"},
      {"merge key", "network:\n  <<: {defaultDeny: false}", "merge key"},
      {"tag", "name: !!str x", "a tag is refused"},
      {"local tag", "name: !x x", "a tag is refused"},
      {"empty tag", "name: ! x", "a tag is refused"},
      {"binary tag", "network: {defaultDeny: !!bool false}", "a tag is refused"},
      {"a number beyond a double", "budget: {maxSpendUsd: 1e309}", "plain decimal number"},
      {"infinity", "budget: {maxSpendUsd: .inf}", "plain decimal number"},
      {"not a number", "budget: {maxSpendUsd: .nan}", "plain decimal number"},
      {"hexadecimal", "budget: {maxSpendUsd: 0x10}", "plain decimal number"},
      {"octal", "budget: {maxSpendUsd: 010}", "plain decimal number"},
      {"digit groups", "budget: {maxSpendUsd: 1_000}", "plain decimal number"},
      {"signs", "budget: {maxSpendUsd: -1}", "plain decimal number"},
      {"quoted number", "budget: {maxSpendUsd: '1'}", "not quoted"},
      {"overflowing size", "limits: {memory: 99999999999999999999}", "too large"},
      {"overflowing by its suffix", "limits: {memory: 18014398509481984T}", "too large"},
      {"overflowing count", "limits: {pids: 4294967552}", "too large"},
      {"zero", "limits: {memory: 0}", "zero never means unlimited"},
      {"negative", "limits: {memory: -1}", "limits.memory"},
      {"second document", "---\nversion: 1", "second document"},
      {"list as key", "? [a]\n: b", "a name must be text"},
      {"no key", ": b", "name is missing"},
      {"direction override in a comment", "# \xE2\x80\xAE", "U+202E"},
      {"zero width space in a name", "network: {allowHosts: [\"a\xE2\x80\x8B.test\"]}", "U+200B"},
      {"escaped direction override", "network: {allowHosts: [\"a\\u202E.test\"]}", "U+202E"},
      {"escaped newline", "name: \"a\\nb\"", "U+000A"},
      {"NUL", "name: \"a\\0b\"", "U+0000"},
      {"a required count of zero", "consent: [{when: any-run, approvers: [a], required: 0}]", "at least 1"},
      {"half an approver", "consent: [{when: any-run, approvers: [a], required: 1.5}]", "at least 1"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto policy = Load(Yaml(kRunners, kAgents, kTiers, c.rest), "p");
    ASSERT_FALSE(policy);
    EXPECT_THAT(policy.error().what, testing::HasSubstr(c.says));
    EXPECT_TRUE(policy.error().what.starts_with("p:")) << policy.error().what;
  }
  EXPECT_EQ(Outcome("%YAML 1.2\n---\n" + Yaml(kRunners, kAgents, kTiers)), "refused");
  EXPECT_EQ(Outcome("\xEF\xBB\xBF" + Yaml(kRunners, kAgents, kTiers)), "refused");
  EXPECT_EQ(Outcome("\xFF" + Yaml(kRunners, kAgents, kTiers)), "refused");
}

TEST(Attack17_PolicyYaml, CommentsAreOnlyComments) {
  EXPECT_EQ(Outcome(Yaml(kRunners, kAgents, kTiers, "# agents: {allow: []}\n#consent: [{when: any-run}]")), "allow");
  EXPECT_EQ(Outcome(Yaml(kRunners, kAgents, kTiers, "name: a#b")), "allow");
}

TEST(Attack17_PolicyNames, ComposedAndDecomposedFormsAreDifferentNames) {
  const std::string composed = "caf\xC3\xA9", decomposed = "cafe\xCC\x81";
  const std::string text = Yaml(kRunners, kAgents, kTiers, "identities: [{id: " + composed + ", tools: ['*']}]");
  Request request = PlainRequest();
  request.identity = composed;
  EXPECT_EQ(Outcome(text, request), "allow");
  request.identity = decomposed;
  EXPECT_EQ(Outcome(text, request), "deny");
}

}  // namespace
}  // namespace writ::policy

#include "contract/execution.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "crypto/digest.h"

namespace writ::contract {
namespace {

using canon::Json;

EnvList EnvOf(const Json& object) {
  EnvList list;
  for (const auto& [name, value] : object.object()) list.emplace_back(name, value.string());
  return list;
}

class ExecutionVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(ExecutionVectors, SpecPreparedFormAndHash) {
  ASSERT_EQ(GetParam().problem, "");
  const Json file = test::VectorFile("execution.json");
  const Json& c = GetParam().value;
  const Json& input = *c.Find("input");
  const AgentSpec agent = DecodeAgent(*input.Find("agent")).value();
  const Json* given = input.Find("execution");
  const ExecutionSpec spec = given != nullptr ? DecodeExecution(*given).value()
                                              : DefaultExecution(agent, *input.Find("task")->FindString("prompt"));
  EXPECT_TRUE(ToJson(spec) == *c.Find("spec")) << canon::Compact(ToJson(spec));
  EXPECT_EQ(DecodeExecution(ToJson(spec)).value(), spec);

  const RunnerSide runner{EnvOf(*file.Find("runnerEnvironment")),
                          {*file.FindString("nodePathPlaceholder"), *file.FindString("mockScriptPath")}};
  const PreparedExecution prepared = Prepare(spec, DecodeBudget(*input.Find("budget")).value(), runner).value();
  EXPECT_TRUE(ToJson(prepared) == *c.Find("prepared")) << canon::Compact(ToJson(prepared));
  if (const std::string* hash = c.FindString("executionHash")) {
    EXPECT_EQ(ExecutionHash(prepared).value(), *hash);
    EXPECT_EQ(crypto::Sha256Hex(*c.FindString("hashInputCanonical")), *hash);
  }
}
INSTANTIATE_TEST_SUITE_P(All, ExecutionVectors, testing::ValuesIn(test::VectorCases("execution.json", "cases")), test::VectorCaseName);

class EnvResolutionVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(EnvResolutionVectors, Resolved) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& c = GetParam().value;
  std::vector<ReleasedSecret> secrets;
  for (const Json& secret : c.Find("secrets")->array()) secrets.push_back({*secret.FindString("name"), *secret.FindString("value")});
  Json::Object resolved;
  for (const auto& [name, value] : ResolveEnvironment(EnvOf(*c.Find("env")), secrets)) resolved.emplace_back(name, value);
  EXPECT_TRUE(Json::FromObject(resolved) == *c.Find("resolved"));
}
INSTANTIATE_TEST_SUITE_P(All, EnvResolutionVectors, testing::ValuesIn(test::VectorCases("env-resolution.json", "cases")), test::VectorCaseName);

PreparedExecution PrepareDefault(const std::string& kind, const std::string& prompt) {
  return Prepare(DefaultExecution({kind, {}}, prompt), {}, {}).value();
}

TEST(Execution, CommandContractsDefaultToExplicitShellExecution) {
  const PreparedExecution prepared = PrepareDefault("command", "echo hi");
  EXPECT_EQ(prepared.kind, ExecutionKind::kShell);
  EXPECT_EQ(prepared.shell, "sh");
  EXPECT_EQ(prepared.script, "echo hi");
  EXPECT_EQ(prepared.timeout_ms, 600000u);
}

TEST(Execution, AgentExecutionsPrepareVendorArgvWithoutShellWrapping) {
  const std::string hostile = "x'; rm -rf / #$(id)";
  const PreparedExecution claude = PrepareDefault("claude-code", hostile);
  EXPECT_EQ(claude.kind, ExecutionKind::kArgv);
  EXPECT_EQ(claude.cmd, "claude");
  EXPECT_EQ(claude.args, (std::vector<std::string>{"-p", hostile, "--permission-mode", "acceptEdits"}));
  const PreparedExecution codex = PrepareDefault("codex", hostile);
  EXPECT_EQ(codex.cmd, "codex");
  EXPECT_EQ(codex.args, (std::vector<std::string>{"exec", "--skip-git-repo-check", hostile}));
}

TEST(Execution, PiPreparesANonSpawnablePlaceholderArgv) {
  const PreparedExecution pi = PrepareDefault("pi", "anything");
  EXPECT_EQ(pi.cmd, "pi");
  EXPECT_EQ(pi.args, std::vector<std::string>{"--harness-only"});
  EXPECT_TRUE(crypto::IsHash(ExecutionHash(pi).value()));
}

TEST(Execution, TheProcessBackendRefusesToSpawnPiButSupportsShell) {
  EXPECT_FALSE(SupportedByProcessTier(DefaultExecution({"pi", {}}, "x")));
  EXPECT_FALSE(SupportedByProcessTier(DefaultExecution({"unheard-of", {}}, "x")));
  for (const char* kind : {"command", "mock", "codex", "claude-code"}) {
    EXPECT_TRUE(SupportedByProcessTier(DefaultExecution({kind, {}}, "x"))) << kind;
  }
  EXPECT_EQ(UnsupportedText("process", DefaultExecution({"pi", {}}, "x"), "pi"),
            "backend \"process\" cannot run agent execution for agent \"pi\"");
}

TEST(Execution, ExecutionHashRecordsThePreparedExecutionShape) {
  PreparedExecution base = PrepareDefault("command", "echo hi");
  const std::string hash = ExecutionHash(base).value();
  EXPECT_EQ(hash, "eb440e2fd75e092f28505ef6f9d13da1fb3d913170b60cc5955ac50e7ba713b8");
  PreparedExecution other = base;
  other.timeout_ms = 1, other.env = {{"A", "1"}}, other.log_bytes_max = 5, other.egress_proxy = false;
  EXPECT_EQ(ExecutionHash(other).value(), hash);
  other = base, other.script += ' ';
  EXPECT_NE(ExecutionHash(other).value(), hash);
  other = base, other.cwd = "src";
  EXPECT_NE(ExecutionHash(other).value(), hash);
  other = base, other.shell = "bash";
  EXPECT_NE(ExecutionHash(other).value(), hash);
}

TEST(Execution, UnknownMembersAndBadValuesAreRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"kind":"shell","script":"x","extra":1})", "execution.extra: is not a known member"},
      {R"({"kind":"shell"})", "execution.script: is missing"},
      {R"({"kind":"shell","script":"x","shell":"zsh"})", "execution.shell: must be \"sh\" or \"bash\""},
      {R"({"kind":"perl"})", "execution.kind: must be \"shell\", \"argv\" or \"agent\""},
      {R"({"kind":"shell","script":"x","timeoutMs":0})", "execution.timeoutMs: must be a whole number from 1 to 9007199254740991"},
      {R"({"kind":"shell","script":"x","timeoutMs":1.5})", "execution.timeoutMs: must be a whole number from 1 to 9007199254740991"},
      {R"({"kind":"argv","command":"x","args":[1]})", "execution.args[0]: must be a string"},
      {R"({"kind":"argv","command":"x","args":[],"cwd":"/x"})", "execution.cwd: workspace path \"/x\" must be a safe relative path"},
      {R"({"kind":"agent","agent":{"kind":"pi"},"prompt":"x","cwd":"."})", "execution.cwd: is not a known member"},
      {R"({"kind":"shell","script":"x","env":{"inherit":["A B"]}})",
       "execution.env.inherit[0]: secret name \"A B\" must be a POSIX environment identifier"},
      {R"({"kind":"shell","script":"x","env":{"vars":{"A=B":"1"}}})", "execution.env.vars.A=B: a name must not contain '=' or NUL"},
      {R"({"kind":"shell","script":"x","env":{"more":1}})", "execution.env.more: is not a known member"},
      {R"({"kind":"shell","script":"x","log":{"stdout":"capture","stderr":"drop"}})", "execution.log.stderr: must be \"merge\" or \"capture\""},
      {R"("shell")", "execution: must be an object"},
  };
  for (const auto& [text, error] : cases) {
    const auto spec = DecodeExecution(canon::Parse(text, canon::Mode::kStrict).value());
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().what, error);
  }
}

TEST(Execution, TimeoutsFromMinutesStayInRange) {
  const ExecutionSpec spec = DefaultExecution({"command", {}}, "x");
  EXPECT_EQ(Prepare(spec, {{}, 1e300}, {})->timeout_ms, 9'000'000'000'000'000u);
  EXPECT_EQ(Prepare(spec, {{}, 1e-300}, {})->timeout_ms, 1u);
  EXPECT_EQ(Prepare(DefaultExecution({"mock", {}}, "x"), {}, {}).error().code, Code::kUnavailable);
  EXPECT_EQ(Prepare(DefaultExecution({"new-agent", {}}, "x"), {}, {}).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace writ::contract

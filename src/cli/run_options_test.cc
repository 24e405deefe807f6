#include "cli/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string_view>;

std::optional<std::string> FakeEnv(std::string_view name) {
  if (name == "EDITOR") return "vi";
  return std::nullopt;
}

Result<RunOptions> ReadOptions(const Words& words) {
  const auto invocation = ParseCommandLine(words);
  EXPECT_TRUE(invocation.has_value()) << invocation.error().what;
  return ReadRunOptions(*invocation, FakeEnv);
}

TEST(RunOptions, NothingGivenMeansDefaults) {
  const auto options = ReadOptions({"run", "true"});
  ASSERT_TRUE(options.has_value()) << options.error().what;
  EXPECT_THAT(options->request.argv, ElementsAre("true"));
  EXPECT_EQ(options->request.limits, Limits{});
  EXPECT_EQ(options->request.tier, "process");
  EXPECT_TRUE(options->request.workspace.empty());
  EXPECT_FALSE(options->interactive || options->terminal || options->dry_run || options->json || options->quiet);
}

TEST(RunOptions, EveryLimit) {
  const auto options = ReadOptions({"run", "--timeout=1m", "--cpu-time=30s", "--cpus=0.5", "--memory=64M", "--pids=16", "--files=32",
                             "--stdout-max=1K", "--stderr-max=2K", "--disk=8M", "--inodes=1K", "--on-output-limit=kill", "x"});
  ASSERT_TRUE(options.has_value()) << options.error().what;
  const Limits expected{.wall_time = Millis{60'000}, .cpu_time = Millis{30'000}, .cpu_millis = 500,
                                   .memory_bytes = 64u << 20, .pids = 16, .open_files = 32, .stdout_bytes = 1024,
                                   .stderr_bytes = 2048, .disk_bytes = 8u << 20, .inodes = 1024};
  EXPECT_EQ(options->request.limits, expected);
  EXPECT_TRUE(options->request.kill_on_output_limit);
}

TEST(RunOptions, NetworkIsClosedUntilSomethingIsNamed) {
  const auto closed = ReadOptions({"run", "x"});
  ASSERT_TRUE(closed.has_value());
  EXPECT_FALSE(closed->request.network.asked);
  const auto none = ReadOptions({"run", "--net", "none", "x"});
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->request.network.asked);
  const auto open = ReadOptions({"run", "--net=open", "--net", "10.0.0.6:5432", "x"});
  ASSERT_TRUE(open.has_value()) << open.error().what;
  EXPECT_TRUE(open->request.network.asked && open->request.network.open);
  EXPECT_THAT(open->request.network.rules, ElementsAre("10.0.0.6:5432"));
  const auto rules = ReadOptions({"run", "--net", "a.test:443", "--net", "*.b.test", "--net-rule", "api.test GET,HEAD /v1/**", "--net-budget", "10M", "x"});
  ASSERT_TRUE(rules.has_value()) << rules.error().what;
  EXPECT_TRUE(rules->request.network.asked);
  EXPECT_FALSE(rules->request.network.open);
  EXPECT_THAT(rules->request.network.rules, ElementsAre("a.test:443", "*.b.test", "api.test GET,HEAD /v1/**"));
  EXPECT_EQ(rules->request.network.budget_bytes, 10u << 20);
  const auto long_none = ReadOptions({"run", "--net-rule", "none", "x"});  // the words belong to --net; this is a host
  ASSERT_TRUE(long_none.has_value());
  EXPECT_THAT(long_none->request.network.rules, ElementsAre("none"));
}

TEST(RunOptions, NetworkContradictionsAndBadRules) {
  const auto refused = [](const Words& words) {
    const auto options = ReadOptions(words);
    return options ? std::string("accepted") : options.error().what;
  };
  EXPECT_THAT(refused({"run", "--net", "none", "--net", "a.test", "x"}), HasSubstr("--net none"));
  EXPECT_THAT(refused({"run", "--net", "none", "--net", "open", "x"}), HasSubstr("--net none"));
  EXPECT_THAT(refused({"run", "--net", "none", "--net-rule", "a.test GET /", "x"}), HasSubstr("--net none"));
  EXPECT_THAT(refused({"run", "--net-budget", "1M", "x"}), HasSubstr("--net-budget"));
  EXPECT_THAT(refused({"run", "--net", "none", "--net-budget", "1M", "x"}), HasSubstr("--net-budget"));
  EXPECT_THAT(refused({"run", "--net", "a.test", "--net-budget", "0", "x"}), HasSubstr("--net-budget"));
  EXPECT_THAT(refused({"run", "--net", "https://a.test/", "x"}), HasSubstr("is a URL"));
  EXPECT_THAT(refused({"run", "--net", "a.test:0", "x"}), HasSubstr("1..65535"));
  EXPECT_THAT(refused({"run", "--net", "10.0.0.1/8", "x"}), HasSubstr("10.0.0.0/8"));
}

TEST(RunOptions, InputsOutputsAndEnvironment) {
  const auto options = ReadOptions({"run", "--input", "a/data.csv", "--input", "b:c.csv:data2.csv", "--output", "r.txt", "--output", "log?",
                             "--out-dir", "res", "--env", "A=1=2", "--env", "EDITOR", "--env", "EMPTY=", "x"});
  ASSERT_TRUE(options.has_value()) << options.error().what;
  const auto& request = options->request;
  EXPECT_EQ(request.inputs[0].path, "a/data.csv");
  EXPECT_EQ(request.inputs[0].name, "");
  EXPECT_EQ(request.inputs[1].path, "b:c.csv");
  EXPECT_EQ(request.inputs[1].name, "data2.csv");
  EXPECT_EQ(request.outputs[0].name, "r.txt");
  EXPECT_FALSE(request.outputs[0].optional);
  EXPECT_EQ(request.outputs[1].name, "log");
  EXPECT_TRUE(request.outputs[1].optional);
  EXPECT_EQ(request.env[0].value, "1=2");
  EXPECT_EQ(request.env[0].source, api::EnvSource::kLiteral);
  EXPECT_EQ(request.env[1].value, "vi");
  EXPECT_EQ(request.env[1].source, api::EnvSource::kCaller);
  EXPECT_EQ(request.env[2].value, "");
}

TEST(RunOptions, AcceptTakesOneOrAList) {
  const auto options = ReadOptions({"run", "--accept", "memory=rlimit,pids=rlimit", "--accept", "groups=kept", "x"});
  ASSERT_TRUE(options.has_value()) << options.error().what;
  EXPECT_EQ(options->request.accepted.size(), 3u);
  EXPECT_EQ(options->request.accepted.at("groups"), "kept");
}

TEST(RunOptions, RefusesWhatIsWrong) {
  struct Case { Words words; const char* says; };
  const Case cases[] = {
      {{"run", "--timeout", "0", "x"}, "--timeout: `0` is refused"},
      {{"run", "--memory", "0", "x"}, "--memory: `0` is refused"},
      {{"run", "--memory", "1.5G", "x"}, "--memory: `1.5G` is not a size"},
      {{"run", "--memory", "99999999T", "x"}, "too large"},
      {{"run", "--pids", "4294967297", "x"}, "--pids: `4294967297` is too large"},
      {{"run", "--cpus", "0", "x"}, "--cpus"},
      {{"run", "--input", ":x", "x"}, "--input"},
      {{"run", "--input", "a:b/c", "x"}, "one component"},
      {{"run", "--env", "1A=x", "x"}, "--env: `1A` is not a variable name"},
      {{"run", "--env", "=x", "x"}, "not a variable name"},
      {{"run", "--env", "NOT_SET", "x"}, "`NOT_SET` is not set in your environment"},
      {{"run", "--accept", "memory", "x"}, "LIMIT=MECHANISM"},
      {{"run", "--accept", "memory=", "x"}, "LIMIT=MECHANISM"},
      {{"run", "--accept", "a=b,", "x"}, "LIMIT=MECHANISM"},
      {{"run", "--out-dir", "d", "x"}, "--output NAME"},
      {{"run", "--json", "-t", "x"}, "--json"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    const auto options = ReadOptions(c.words);
    ASSERT_FALSE(options.has_value());
    EXPECT_EQ(options.error().code, Code::kInvalid);
    EXPECT_THAT(options.error().what, HasSubstr(c.says));
  }
}

TEST(RunOptions, Attack42_WarnsOfSecretsInClear) {
  const auto options = ReadOptions({"run", "--env", "GITHUB_TOKEN=abc", "--env", "MODE=fast", "x"});
  ASSERT_TRUE(options.has_value());
  ASSERT_EQ(options->warnings.size(), 1u);
  EXPECT_THAT(options->warnings[0], HasSubstr("GITHUB_TOKEN"));
  EXPECT_THAT(options->warnings[0], ::testing::Not(HasSubstr("abc")));
  for (const char* name : {"API_KEY", "db_password", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "SESSION_COOKIE", "NPM_TOKEN", "MY_PAT"}) {
    EXPECT_TRUE(LooksSecret(name)) << name;
  }
  for (const char* name : {"PATH", "PWD", "OLDPWD", "KEYBOARD", "AUTHOR", "MODE", "TOKENIZER", "PATTERN", "LANG"}) {
    EXPECT_FALSE(LooksSecret(name)) << name;
  }
}

}  // namespace
}  // namespace writ::cli

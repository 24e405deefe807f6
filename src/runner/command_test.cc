#include "runner/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "sys/file.h"

namespace writ::runner {
namespace {

using testing::HasSubstr;

std::optional<std::string> NoEnv(std::string_view) { return std::nullopt; }

Result<CommandSettings> Parse(std::vector<std::string_view> words, const EnvLookup& env = NoEnv) { return ParseCommand(words, env); }

TEST(RunnerCommand, ReadsEveryOption) {
  const auto settings = Parse({"--plane", "https://plane.example/", "--pool=gpu", "--token", "t", "--dir", "/d", "--concurrency", "4", "--labels",
                               "zone=a,disk=ssd", "--labels", "zone=b", "--poll-interval", "2s", "--once", "--plane-key",
                               "ed25519:0123456789abcdef", "--ca-file", "ca.pem", "--agent", "claude-code=/opt/claude:bin", "--inherit", "X,Y_*"});
  ASSERT_TRUE(settings) << settings.error().what;
  const Options& options = settings->options;
  EXPECT_EQ(options.plane_url, "https://plane.example/");
  EXPECT_EQ(options.pool, "gpu");
  EXPECT_EQ(options.enroll_token, "t");
  EXPECT_TRUE(settings->token_shown);
  EXPECT_EQ(options.dir, "/d");
  EXPECT_EQ(options.concurrency, 4u);
  EXPECT_EQ(options.labels, (std::map<std::string, std::string>{{"disk", "ssd"}, {"zone", "b"}}));
  EXPECT_EQ(options.poll_interval, Millis{2000});
  EXPECT_TRUE(settings->once);
  EXPECT_EQ(options.plane_key, "ed25519:0123456789abcdef");
  EXPECT_EQ(options.ca_file, "ca.pem");
  ASSERT_EQ(options.agents.size(), 1u);
  EXPECT_EQ(options.agents[0].directory, "/opt/claude");
  EXPECT_EQ(options.agents[0].bin, "bin");
  EXPECT_EQ(options.inherit.allow.back(), "Y_*");
}

TEST(RunnerCommand, ARelativeDirectoryStartsAtTheWorkingDirectory) {
  const auto settings = Parse({"--plane", "http://127.0.0.1:1", "--dir", "runner"});
  ASSERT_TRUE(settings) << settings.error().what;
  EXPECT_EQ(settings->options.dir, std::filesystem::current_path().string() + "/runner");
}

TEST(RunnerCommand, TakesTheOriginalsVariables) {
  const EnvLookup env = [](std::string_view name) -> std::optional<std::string> {
    if (name == "WARRANT_PLANE_URL") return "http://p:1";
    if (name == "WARRANT_ENROLL_TOKEN") return "tok";
    if (name == "WARRANT_POOL") return "pool";
    if (name == "WARRANT_RUNNER_DIR") return "/dir";
    return std::nullopt;
  };
  const auto settings = Parse({"--pool", "own"}, env);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->options.plane_url, "http://p:1");
  EXPECT_EQ(settings->options.enroll_token, "tok");
  EXPECT_EQ(settings->options.pool, "own");
  EXPECT_EQ(settings->options.dir, "/dir");
  EXPECT_FALSE(settings->token_shown);
}

TEST(RunnerCommand, SaysWhatIsWrong) {
  for (const auto& [words, text] : std::vector<std::pair<std::vector<std::string_view>, const char*>>{
           {{}, "--plane URL or $WARRANT_PLANE_URL is needed"},
           {{"--plane"}, "--plane needs a value"},
           {{"--plane", "http://p", "--nope", "x"}, "unknown option --nope"},
           {{"--plane", "http://p", "stray"}, "unexpected argument stray"},
           {{"--plane", "http://p", "--concurrency", "0"}, "--concurrency"},
           {{"--plane", "http://p", "--labels", "novalue"}, "NAME=VALUE is expected"},
           {{"--plane", "http://p", "--agent", "pi=/x"}, "the kinds are claude-code and codex"},
           {{"--plane", "http://p", "--agent", "codex=relative"}, "an absolute directory"},
           {{"--plane", "http://p", "--agent", "codex=/x:../y"}, "a path below it"}}) {
    const auto settings = Parse(words);
    ASSERT_FALSE(settings) << text;
    EXPECT_THAT(settings.error().what, HasSubstr(text));
  }
}

TEST(RunnerCommand, ReadsThePolicyThatNobodyElseMayWrite) {
  const auto folder = *sys::TemporaryDirectory::Create(testing::TempDir(), "policy");
  const std::string file = folder.path() + "/policy.yaml";
  const auto write = [&](std::string_view text, std::uint32_t mode) { return sys::WriteFileAtomic(file, text, mode); };
  auto settings = *Parse({"--plane", "http://p", "--policy", file});
  EXPECT_FALSE(LoadFiles(settings)) << "no file, no ceiling: it must not start";
  ASSERT_TRUE(write("version: 1\nagents: {allow: [command]}\n", 0644));
  ASSERT_TRUE(LoadFiles(settings));
  EXPECT_EQ(settings.options.policy->agents, std::vector<std::string>{"command"});
  EXPECT_TRUE(settings.options.policy->pools.empty()) << "what is left out is not allowed";
  ASSERT_TRUE(write("version: 1\nagents: {allow: [command]}\n", 0666));
  EXPECT_EQ(LoadFiles(settings).error().code, Code::kDenied);
  ASSERT_TRUE(write("version: 1\nagent: {}\n", 0644));
  EXPECT_THAT(LoadFiles(settings).error().what, HasSubstr("--policy"));
}

TEST(RunnerCommand, TheTokenFileIsTheOwnersAlone) {
  const auto folder = *sys::TemporaryDirectory::Create(testing::TempDir(), "token");
  const std::string file = folder.path() + "/token";
  ASSERT_TRUE(sys::WriteFileAtomic(file, std::string_view("secret-token\n"), 0600));
  auto settings = *Parse({"--plane", "http://p", "--token-file", file});
  ASSERT_TRUE(LoadFiles(settings));
  EXPECT_EQ(settings.options.enroll_token, "secret-token");
  ASSERT_TRUE(sys::WriteFileAtomic(file, std::string_view("secret-token\n"), 0644));
  EXPECT_FALSE(LoadFiles(settings));
}

}  // namespace
}  // namespace writ::runner

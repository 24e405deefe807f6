#include "cli/plane_ask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<AskOptions> ReadAsk(const std::vector<std::string_view>& words) {
  const auto invocation = ParseCommandLine(words);
  if (!invocation) return Fail(Code::kInvalid, "usage: {}", invocation.error().what);
  return ReadAskOptions(*invocation, "alice");
}

std::string WhyNot(const std::vector<std::string_view>& words) {
  const auto options = ReadAsk(words);
  return options ? std::string("accepted") : options.error().what;
}

TEST(PlaneAsk, ATaskIsOneArgumentAndACommandFollowsDashes) {
  const auto task = ReadAsk({"submit", "--agent", "claude-code", "fix it"});
  ASSERT_TRUE(task) << task.error().what;
  EXPECT_EQ(task->ask.prompt, "fix it");
  EXPECT_EQ(task->ask.agent.kind, "claude-code");
  EXPECT_FALSE(task->ask.execution) << "what the plane does by itself is not sent";
  EXPECT_FALSE(task->ask.writ) << "nothing asks for the extension";
  EXPECT_EQ(task->repository, ".");

  const auto command = ReadAsk({"submit", "--", "make", "a b"});
  ASSERT_TRUE(command) << command.error().what;
  EXPECT_EQ(command->ask.prompt, "make 'a b'");
  ASSERT_TRUE(command->ask.execution);
  EXPECT_EQ(command->ask.execution->command, "make");
  EXPECT_THAT(command->ask.execution->args, ElementsAre("a b"));
  EXPECT_EQ(ReadAsk({"submit", "--", "true"})->ask.execution->command, "true") << "one word after dashes is a command, no script";

  EXPECT_THAT(WhyNot({"submit", "make", "test"}), HasSubstr("in quotes"));
  EXPECT_THAT(WhyNot({"submit", "--agent", "codex", "--", "make"}), HasSubstr("an agent gets a task"));
  EXPECT_THAT(WhyNot({"submit", ""}), HasSubstr("TASK is empty"));
}

TEST(PlaneAsk, OptionsBecomeTheRequest) {
  const auto read = ReadAsk({"submit", "--pool", "gpu", "--secret", "TOK=GH", "--allow-host", "A.Test", "--net", "b.test:443", "--env", "X=1", "--timeout",
                          "90s", "--memory", "64M", "--label", "gpu=a100", "--on-lost", "requeue", "--max-duration", "90s", "--budget-usd", "2.5",
                          "--isolation", "hermetic", "--accept", "memory=rlimit", "--no-workspace", "make"});
  ASSERT_TRUE(read) << read.error().what;
  const client::RunAsk& ask = read->ask;
  EXPECT_EQ(ask.pool, "gpu");
  EXPECT_THAT(ask.secrets, ElementsAre("TOK"));
  EXPECT_THAT(ask.network.allow_hosts, ElementsAre("a.test"));
  ASSERT_TRUE(ask.execution && ask.execution->env);
  EXPECT_EQ(ask.execution->script, "make");
  EXPECT_EQ(ask.execution->env->secrets.front(), (contract::EnvSpec::Mapping{"GH", "TOK"}));
  EXPECT_EQ(ask.execution->timeout_ms, 90'000u);
  EXPECT_EQ(ask.budget.duration_min_max, 1.5);
  EXPECT_EQ(ask.budget.spend_usd_max, 2.5);
  EXPECT_EQ(ask.isolation, "hermetic");
  ASSERT_TRUE(ask.writ);
  EXPECT_EQ(ask.writ->limits, (std::map<std::string, std::uint64_t, std::less<>>{{"memoryBytes", 64u << 20}, {"wallTimeMs", 90'000}}));
  EXPECT_THAT(ask.writ->egress->rules, ElementsAre("b.test:443"));
  EXPECT_EQ(ask.writ->labels, (contract::MechanismMap{{"gpu", "a100"}}));
  EXPECT_EQ(ask.writ->on_lost, "requeue");
  EXPECT_EQ(ask.writ->accept, (contract::MechanismMap{{"memory", "rlimit"}}));
  EXPECT_EQ(read->repository, "");
  EXPECT_TRUE(read->pool_named);
}

TEST(PlaneAsk, WrongValuesAreNamed) {
  EXPECT_THAT(WhyNot({"submit", "--label", "gpu", "x"}), HasSubstr("--label: `gpu` is not NAME=VALUE"));
  EXPECT_THAT(WhyNot({"submit", "--env", "HOME", "x"}), HasSubstr("--secret asks for one of its own"));
  EXPECT_THAT(WhyNot({"submit", "--allow-host", "a:1", "x"}), HasSubstr("bare host name"));
  EXPECT_THAT(WhyNot({"submit", "--net", "b.test:99999", "x"}), HasSubstr("--net"));
  EXPECT_THAT(WhyNot({"submit", "--budget-usd", "much", "x"}), HasSubstr("--budget-usd"));
  EXPECT_THAT(WhyNot({"submit", "--secret", "a-b", "x"}), HasSubstr("secret name"));
  EXPECT_THAT(WhyNot({"submit", "--pool", "a b", "x"}), HasSubstr("pool name"));
  EXPECT_THAT(WhyNot({"submit", "--agent", "codex", "--cwd", "sub", "x"}), HasSubstr("--cwd"));
  EXPECT_THAT(WhyNot({"submit", "--no-workspace", "--repo", "/tmp", "x"}), HasSubstr("contradict"));
}

Result<AskOptions> ReadRun(const std::vector<std::string_view>& words) {
  const auto invocation = ParseCommandLine(words);
  if (!invocation) return Fail(Code::kInvalid, "usage: {}", invocation.error().what);
  const auto run = ReadRunOptions(*invocation, [](std::string_view) { return std::optional<std::string>("from caller"); });
  if (!run) return std::unexpected(run.error());
  return AskOfRun(*invocation, *run, "alice");
}

TEST(PlaneAsk, RunPromisesTierAndLimitsEverywhere) {
  const auto read = ReadRun({"run", "--plane", "x", "--output", "report", "--output", "notes?", "--memory", "64M", "--net", "b.test:443", "--secret", "TOK", "--cwd", "sub", "--", "make", "test"});
  ASSERT_TRUE(read) << read.error().what;
  ASSERT_TRUE(read->ask.writ) << "a plane that knows no limits is not asked at all";
  EXPECT_EQ(read->ask.writ->tier, "process");
  EXPECT_EQ(read->ask.writ->limits.at("memoryBytes"), 64u << 20);
  EXPECT_THAT(read->ask.writ->egress->rules, ElementsAre("b.test:443"));
  EXPECT_EQ(read->ask.execution->command, "make");
  EXPECT_EQ(read->ask.execution->cwd, "sub");
  EXPECT_EQ(read->ask.disclosure, "none");
  EXPECT_EQ(read->repository, "");
  EXPECT_THAT(read->ask.writ->outputs, ElementsAre(contract::DeclaredOutput{"report"}, contract::DeclaredOutput{"notes", true}));
}

TEST(PlaneAsk, WhatAPlaneCannotCarryIsRefusedByName) {
  const std::vector<std::vector<std::string_view>> cases{
      {"--root", "/"}, {"-t"}, {"--policy", "p"}, {"--as", "me"}, {"--env", "HOME"}};
  for (const auto& option : cases) {
    std::vector<std::string_view> words{"run", "--plane", "x"};
    words.insert(words.end(), option.begin(), option.end());
    words.insert(words.end(), {"--", "true"});
    const auto read = ReadRun(words);
    ASSERT_FALSE(read) << option.front();
    EXPECT_THAT(read.error().what, HasSubstr("does not go with --plane")) << option.front();
  }
}

}  // namespace
}  // namespace writ::cli

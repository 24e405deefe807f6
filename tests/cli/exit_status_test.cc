// The table of exit statuses of `writ run` (docs/cli.md), with the real programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness.h"

namespace writ::cli_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ExitStatus, IsTheJobs) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  EXPECT_EQ(machine.Run({"run", "--", "true"}).status, 0);
  EXPECT_EQ(machine.Run({"run", "--", "sh", "-c", "exit 7"}).status, 7);
  EXPECT_EQ(machine.Run({"run", "--", "sh", "-c", "exit 255"}).status, 255);
  EXPECT_EQ(machine.Run({"run", "--", "sh", "-c", "kill -TERM $$"}).status, 143);
}

TEST(ExitStatus, CommandsThatCannotBeExecuted) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended missing = machine.Run({"run", "--", "no-such-program"});
  EXPECT_EQ(missing.status, 127);
  EXPECT_THAT(missing.err, HasSubstr("no-such-program"));
  EXPECT_EQ(machine.Run({"run", "--", "/etc/passwd"}).status, 126);
  const canon::Json json = machine.Json({"run", "--json", "--", "no-such-program"});
  EXPECT_EQ(Member(json, "exitCode"), "127");
  EXPECT_NE(Member(json, "runId"), "") << "it was contracted, so it has evidence";
}

TEST(ExitStatus, Limits) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended late = machine.Run({"run", "--timeout", "300ms", "--", "sleep", "30"});
  EXPECT_EQ(late.status, 124);
  EXPECT_THAT(late.err, HasSubstr("time"));
  EXPECT_EQ(machine.Run({"run", "--cpu-time", "300ms", "--", "sh", "-c", "while :; do :; done"}).status, 124);
  EXPECT_EQ(machine.Run({"run", "--memory", "32M", "--", "sh", "-c", "x=x; while :; do x=$x$x; done"}).status, 137);
  EXPECT_EQ(machine.Run({"run", "--stdout-max", "4K", "--on-output-limit", "kill", "-q", "--", "yes"}).status, 137);
}

TEST(ExitStatus, DeniedAndAsked) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const std::string denying = machine.Write("deny.yaml", "version: 1\n");
  const Ended denied = machine.Run({"run", "--policy", denying, "--", "true"});
  EXPECT_EQ(denied.status, 122) << denied.err;
  EXPECT_THAT(denied.err, HasSubstr("writ: run: denied"));
  const canon::Json json = machine.Json({"run", "--json", "--policy", denying, "--", "true"});
  EXPECT_EQ(Member(json, "exitCode"), "122");
  EXPECT_EQ(Member(json, "runId"), "");
  EXPECT_EQ(Member(*json.Find("decision"), "verdict"), "deny");
  const std::string asking = machine.Write("ask.yaml",
                                           "version: 1\nrunners:\n  allowPools: [local]\nagents:\n  allow: [command]\ntiers:\n  allow: [process]\n"
                                           "consent:\n  - when: any-run\n    approvers: [alice]\n");
  const Ended asked = machine.Run({"run", "--policy", asking, "--", "true"});
  EXPECT_EQ(asked.status, 123) << asked.err;
  EXPECT_THAT(asked.err, HasSubstr("needs approval"));
  EXPECT_EQ(machine.Run({"run", "--dry-run", "--policy", asking, "--", "true"}).status, 123);
  EXPECT_EQ(machine.Run({"run", "--dry-run", "--policy", denying, "--", "true"}).status, 122);
  const Ended decisions = machine.Run({"decisions"});
  EXPECT_EQ(decisions.status, 0) << decisions.err;
  EXPECT_THAT(decisions.out, HasSubstr("deny"));
  EXPECT_THAT(decisions.out, HasSubstr("ask"));
}

TEST(ExitStatus, UsageErrors) {
  const Machine machine;
  EXPECT_EQ(machine.Run({"run"}).status, 125);
  EXPECT_EQ(machine.Run({"run", "--nope", "--", "true"}).status, 125);
  EXPECT_EQ(machine.Run({"run", "--memory", "0", "--", "true"}).status, 125);
  EXPECT_EQ(machine.Run({"list", "--nope"}).status, 2);
  EXPECT_EQ(machine.Run({"frobnicate"}).status, 2);
  EXPECT_EQ(machine.Run({}).status, 2);
  EXPECT_EQ(machine.Run({"--help"}).status, 0);
  EXPECT_EQ(machine.Run({"run", "--help"}).status, 0);
  EXPECT_EQ(machine.Run({"version"}).status, 0);
  const canon::Json error = machine.Json({"run", "--json", "--nope"});
  EXPECT_EQ(Member(*error.Find("error"), "code"), "invalid");
}

TEST(ExitStatus, TierThatIsNotThere) {
  const Machine machine;
  const Ended ended = machine.Run({"run", "--tier", "microvm", "--", "true"});
  EXPECT_EQ(ended.status, 125);
  EXPECT_THAT(ended.err, HasSubstr("microvm"));
  EXPECT_THAT(ended.err, HasSubstr("process"));
}

class Signals : public ::testing::TestWithParam<int> {};

TEST_P(Signals, CancelTheRunAndLeaveAReceipt) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  Process run = machine.Start({"run", "--", "sh", "-c", "trap '' INT TERM HUP; echo ready; sleep 60; sleep 60"});
  ASSERT_TRUE(run.WaitForOutput("ready"));
  ::kill(run.pid(), GetParam());
  ::kill(run.pid(), GetParam());  // the second one changes nothing
  const Ended ended = run.Wait(Deadline::After(Millis{20'000}));
  EXPECT_EQ(ended.status, 130) << ended.err;
  const canon::Json list = machine.Json({"list", "--json"});
  ASSERT_EQ(list.Find("runs")->array().size(), 1u);
  EXPECT_EQ(Member(list.Find("runs")->array()[0], "status"), "cancelled");
  EXPECT_EQ(machine.Run({"verify", machine.NewestRun()}).status, 0);
}
INSTANTIATE_TEST_SUITE_P(All, Signals, ::testing::Values(SIGINT, SIGTERM, SIGHUP, SIGQUIT));

TEST(ExitStatus, KillFromAnotherProcess) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  Process run = machine.Start({"run", "--", "sh", "-c", "echo ready; sleep 60"});
  ASSERT_TRUE(run.WaitForOutput("ready"));
  const canon::Json live = machine.Json({"ps", "--json"});
  ASSERT_EQ(live.Find("runs")->array().size(), 1u);
  const std::string id = Member(live.Find("runs")->array()[0], "runId");
  EXPECT_EQ(machine.Run({"kill", id.substr(4, 8)}).status, 0);
  EXPECT_EQ(run.Wait().status, 137);
  EXPECT_TRUE(machine.Json({"ps", "--json"}).Find("runs")->array().empty());
  const Ended again = machine.Run({"kill", id});
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, Not(HasSubstr("\n\n")));
}

TEST(ExitStatus, MissingOutput) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended ended = machine.Run({"run", "--output", "report.txt", "--", "true"});
  EXPECT_EQ(ended.status, 125);
  EXPECT_THAT(ended.err, HasSubstr("report.txt"));
  EXPECT_EQ(machine.Run({"run", "--output", "report.txt?", "--", "true"}).status, 0);
}

}  // namespace
}  // namespace writ::cli_test

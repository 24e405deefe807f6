// Runs of this machine that wait for somebody's consent, with the programs in two terminals.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <unistd.h>

#include "harness.h"

namespace writ::cli_test {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::Not;

/// A machine whose policy asks its own user about every run.
class Approval : public testing::Test {
 protected:
  Approval() { WritePolicy(); }

  void WritePolicy(const std::string& more = "") {
    const Ended who = machine_.Start({"-un"}, {}, "/usr/bin/id").Wait();
    user_ = who.out.substr(0, who.out.find('\n'));
    policy_ = machine_.Write("policy.yaml",
                             "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n"
                             "network: {defaultDeny: true, allowHosts: [api.example.org]}\n"
                             "consent:\n  - when: any-run\n    approvers: [\"" + user_ + "\"]\n" + more);
  }
  std::vector<std::string> RunWords(const std::vector<std::string>& options, const std::vector<std::string>& argv) const {
    std::vector<std::string> words = {"run", "--policy", policy_};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), argv.begin(), argv.end());
    return words;
  }
  /// The only run that waits, once there is one.
  Json Waiting() const {
    const Deadline deadline = Deadline::After(Millis{20'000});
    for (;;) {
      const Json list = machine_.Json({"pending", "--json"});
      const auto& approvals = list.Find("approvals")->array();
      if (approvals.size() == 1) return approvals.front();
      if (deadline.Passed()) {
        ADD_FAILURE() << approvals.size() << " runs wait";
        return Json::Of({{"runId", ""}, {"digest", ""}});
      }
      ::usleep(20'000);
    }
  }
  /// `writ approve RUN` at a terminal where somebody types `answer`.
  Ended ApproveByTyping(const std::string& run, std::string_view answer) const {
    int main_fd = -1, terminal_fd = -1;
    EXPECT_EQ(::openpty(&main_fd, &terminal_fd, nullptr, nullptr, nullptr), 0);
    const sys::UniqueFd main(main_fd), terminal(terminal_fd);
    Process process = machine_.Start({"approve", run}, {.stdin_fd = terminal.get()});
    EXPECT_TRUE(sys::WriteAll(main.get(), answer));
    return process.Wait();
  }

  Machine machine_;
  std::string user_, policy_;
};

TEST_F(Approval, ARunThatWaitsStartsWhenSomebodySaysYesInAnotherTerminal) {
  WRIT_NEEDS_RUNS();
  Process run = machine_.Start(RunWords({"--wait"}, {"sh", "-c", "echo ran; exit 3"}));
  const std::string id = Member(Waiting(), "runId");
  const Ended no = ApproveByTyping(id, "no\n");
  EXPECT_EQ(no.status, 1);
  EXPECT_THAT(no.err, HasSubstr("not approved; nothing was changed"));
  EXPECT_EQ(Member(Waiting(), "runId"), id);
  const Ended yes = ApproveByTyping(id, "yes\n");
  EXPECT_EQ(yes.status, 0) << yes.err;
  EXPECT_THAT(yes.err, HasSubstr("\"echo ran; exit 3\""));
  const Ended ended = run.Wait();
  EXPECT_EQ(ended.status, 3) << ended.err;
  EXPECT_EQ(ended.out, "ran\n");
  EXPECT_EQ(machine_.Run({"verify", id}).status, 0);
  EXPECT_THAT(machine_.Run({"show", id}).out, HasSubstr(user_));
  EXPECT_THAT(machine_.Run({"pending"}).out, HasSubstr("nothing waits"));
}

TEST_F(Approval, ARunThatNobodyWaitsForIsResumedOnceAndNeverAgain) {
  WRIT_NEEDS_RUNS();
  const Ended parked = machine_.Run(RunWords({"--timeout", "20s"}, {"sh", "-c", "echo once"}));
  EXPECT_EQ(parked.status, 123) << parked.err;
  const Json waiting = Waiting();
  const std::string id = Member(waiting, "runId");
  EXPECT_THAT(parked.err, HasSubstr("writ approve " + id));
  EXPECT_THAT(parked.err, HasSubstr("writ run --resume " + id));
  EXPECT_EQ(machine_.Run({"run", "--resume", id}).status, 123) << "nobody has said yes";
  EXPECT_EQ(machine_.Run({"approve", id}).status, 2) << "nobody is there to ask";
  EXPECT_EQ(machine_.Run({"approve", "--digest", std::string(64, '0'), id}).status, 1) << "not what would run";
  const Ended approved = machine_.Run({"approve", "--digest", Member(waiting, "digest"), id});
  EXPECT_EQ(approved.status, 0) << approved.err;
  EXPECT_THAT(approved.out, HasSubstr("approved"));
  const Ended first = machine_.Run({"run", "--resume", id});
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(first.out, "once\n");
  const Ended second = machine_.Run({"run", "--resume", id});
  EXPECT_EQ(second.status, 125) << second.err;
  EXPECT_EQ(second.out, "");
  EXPECT_NE(machine_.Run({"approve", "--yes", id}).status, 0) << "it is spent";
}

TEST_F(Approval, Attack14_WhatWouldRunIsShownWholeAndCannotDriveATerminal) {
  WRIT_NEEDS_RUNS();
  const std::string hidden = "echo fine" + std::string(300, ' ') + "; rm -rf /work \x1b[8m\x1b]0;title\x07 \u202e \u0430";
  ASSERT_EQ(machine_.Run(RunWords({"--env", "NAME=\x1b[2Jvalue"}, {"sh", "-c", hidden})).status, 123);
  for (const auto& words : {std::vector<std::string>{"pending", "--full"}, {"pending"}, {"approve", "--yes", Member(Waiting(), "runId")}}) {
    const Ended shown = machine_.Run(words);
    const std::string text = shown.out + shown.err;
    EXPECT_EQ(shown.status, 0) << shown.err;
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << words.front();
    EXPECT_EQ(text.find("\u202e"), std::string::npos);
    EXPECT_EQ(text.find(std::string(50, ' ') + ";"), std::string::npos);
    if (words.size() == 1) continue;
    EXPECT_THAT(text, HasSubstr("300 blanks"));
    EXPECT_THAT(text, HasSubstr("rm -rf /work"));
    EXPECT_THAT(text, HasSubstr("not ASCII"));
    EXPECT_THAT(text, HasSubstr("[2Jvalue"));
  }
}

TEST_F(Approval, TheDifferenceInAuthorityToTheLastApprovedRunIsShown) {
  WRIT_NEEDS_RUNS();
  ASSERT_EQ(machine_.Run(RunWords({}, {"echo", "hi"})).status, 123);
  const std::string first = Member(Waiting(), "runId");
  ASSERT_EQ(machine_.Run({"approve", "--yes", first}).status, 0);
  ASSERT_EQ(machine_.Run({"run", "-q", "--resume", first}).status, 0);
  ASSERT_EQ(machine_.Run(RunWords({"--net", "api.example.org:443", "--memory", "1G"}, {"echo", "hi"})).status, 123);
  const Json waiting = Waiting();
  EXPECT_EQ(Member(*waiting.Find("difference"), "since"), first);
  const Ended shown = machine_.Run({"pending", "--full"});
  EXPECT_THAT(shown.out, HasSubstr("api.example.org:443"));
  EXPECT_THAT(shown.out, testing::ContainsRegex("\\+ .*api\\.example\\.org:443"));
}

TEST_F(Approval, ADenialEndsTheRunAndSaysWhoAndWhy) {
  WRIT_NEEDS_RUNS();
  Process run = machine_.Start(RunWords({"--wait"}, {"echo", "hi"}));
  const std::string id = Member(Waiting(), "runId");
  EXPECT_EQ(machine_.Run({"deny", "--reason", "not \x1b[31mtoday", id}).status, 0);
  const Ended ended = run.Wait();
  EXPECT_EQ(ended.status, 122) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("denied by " + user_ + ": not "));
  EXPECT_EQ(ended.err.find('\x1b'), std::string::npos);
  EXPECT_NE(machine_.Run({"approve", "--yes", id}).status, 0);
  const Ended resumed = machine_.Run({"run", "--resume", id});
  EXPECT_EQ(resumed.status, 125);
  EXPECT_THAT(resumed.err, HasSubstr("will not start: denied by " + user_));
}

TEST_F(Approval, InterruptingARunThatWaitsEndsItsQuestion) {
  WRIT_NEEDS_RUNS();
  Process run = machine_.Start(RunWords({"--wait"}, {"echo", "hi"}));
  const std::string id = Member(Waiting(), "runId");
  ::kill(run.pid(), SIGTERM);
  const Ended ended = run.Wait();
  EXPECT_THAT(ended.status, testing::AnyOf(123, 130)) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_NE(machine_.Run({"approve", "--yes", id}).status, 0);
}

TEST_F(Approval, Attack16_AnInputThatChangesWhileItWaitsIsNotRun) {
  WRIT_NEEDS_RUNS();
  const std::string input = machine_.Write("job.sh", "echo reviewed\n");
  Process run = machine_.Start(RunWords({"--wait", "--input", input}, {"sh", "/in/job.sh"}));
  const std::string id = Member(Waiting(), "runId");
  machine_.Write("job.sh", "echo replaced\n");
  ASSERT_EQ(machine_.Run({"approve", "--yes", id}).status, 0);
  const Ended ended = run.Wait();
  EXPECT_EQ(ended.status, 123) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("what would run has changed while run " + id + " waited"));
}

TEST_F(Approval, Attack16_AVariableOfTheCallerThatChangesWhileItWaitsIsNotRun) {
  WRIT_NEEDS_RUNS();
  const auto words = RunWords({"--env", "TARGET"}, {"sh", "-c", "echo $TARGET"});
  ASSERT_EQ(machine_.Run(words, {.env = {{"TARGET", "staging-42"}}}).status, 123);
  const std::string id = Member(Waiting(), "runId");
  EXPECT_THAT(machine_.Run({"pending", "--full"}).out, Not(HasSubstr("staging-42"))) << "who approves learns the name only";
  ASSERT_EQ(machine_.Run({"approve", "--yes", id}).status, 0);
  const Ended other = machine_.Run({"run", "--resume", id}, {.env = {{"TARGET", "production-42"}}});
  EXPECT_EQ(other.status, 123) << other.err;
  EXPECT_EQ(other.out, "");
  EXPECT_THAT(other.err, HasSubstr("has changed since run " + id + " was approved"));
  const std::string again = Member(Waiting(), "runId");
  EXPECT_NE(again, id);
  ASSERT_EQ(machine_.Run({"approve", "--yes", again}).status, 0);
  EXPECT_EQ(machine_.Run({"run", "-q", "--resume", again}, {.env = {{"TARGET", "production-42"}}}).out, "production-42\n");
}

TEST_F(Approval, Attack16_AnApprovalExpires) {
  WRIT_NEEDS_RUNS();
  WritePolicy("    expires: 1s\n");
  ASSERT_EQ(machine_.Run(RunWords({}, {"echo", "hi"})).status, 123);
  const std::string id = Member(Waiting(), "runId");
  const Ended approved = machine_.Run({"approve", "--yes", id});
  ASSERT_EQ(approved.status, 0) << approved.err;
  const Deadline over = Deadline::After(Millis{1100});
  while (!over.Passed()) ::usleep(20'000);
  const Ended resumed = machine_.Run({"run", "--resume", id});
  EXPECT_EQ(resumed.status, 123) << resumed.err;
  EXPECT_EQ(resumed.out, "");
  EXPECT_THAT(resumed.err, HasSubstr("consent_timeout"));
}

TEST_F(Approval, Attack16_WhoAskedCannotApproveWherePolicySaysSo) {
  WRIT_NEEDS_RUNS();
  WritePolicy("    notRequester: true\n");
  ASSERT_EQ(machine_.Run(RunWords({}, {"echo", "hi"})).status, 123);
  const Ended own = machine_.Run({"approve", "--yes", Member(Waiting(), "runId")});
  EXPECT_EQ(own.status, 1) << own.err;
}

TEST_F(Approval, Attack16_AChangedPolicyAsksAgain) {
  WRIT_NEEDS_RUNS();
  ASSERT_EQ(machine_.Run(RunWords({}, {"echo", "hi"})).status, 123);
  const std::string id = Member(Waiting(), "runId");
  ASSERT_EQ(machine_.Run({"approve", "--yes", id}).status, 0);
  WritePolicy("    required: 1\n  - when: any-run\n    approvers: [\"nobody-else\"]\n");
  const Ended resumed = machine_.Run({"run", "--resume", id});
  EXPECT_EQ(resumed.status, 123) << resumed.err;
  EXPECT_EQ(resumed.out, "");
}

}  // namespace
}  // namespace writ::cli_test

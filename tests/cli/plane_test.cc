// The client against the real plane and runner, each a process of its own on this machine.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "fleet_for_test.h"

namespace writ::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Plane, ARunElsewhereHasTheMannersOfALocalOne) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const Ended ended = fleet.machine.Run({"run", "--plane", "lab", "--", "sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(ended.status, 3) << ended.err << fleet.Log();
  EXPECT_EQ(ended.out, "out\n");
  EXPECT_THAT(ended.err, HasSubstr("err\n"));
  EXPECT_THAT(ended.err, HasSubstr("failed, exit 3"));
  EXPECT_THAT(ended.err, HasSubstr("is now on record")) << "the first bundle pins the plane's key";
  const Ended again = fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "true"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.err, "") << "the key is known now, and -q says nothing else";
  EXPECT_EQ(fleet.machine.Run({"run", "-q", "--plane", "lab", "--timeout", "300ms", "--", "sleep", "60"}).status, 124);
  EXPECT_EQ(fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "/no/such/program"}).status, 127);
  const sys::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Ended unwritten = fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "echo", "hi"}, {.stdout_fd = full.get()});
  EXPECT_EQ(unwritten.status, 125) << "output that cannot be written is not passed over: " << unwritten.err;
  const Ended denied = fleet.machine.Run({"run", "--plane", "lab", "--net", "example.org:443", "--", "true"});
  EXPECT_EQ(denied.status, 122) << denied.err;
  const canon::Json json = fleet.machine.Json({"run", "--json", "--plane", "lab", "--", "sh", "-c", "printf hi; exit 5"});
  EXPECT_EQ(Member(json, "exitCode"), "5");
  ASSERT_NE(json.Find("stdout"), nullptr);
  EXPECT_EQ(Member(*json.Find("stdout"), "data"), "hi");
  EXPECT_EQ(Member(*json.Find("evidence"), "ok"), "true");
}

TEST(Plane, OutputComesWhileTheRunGoesOnAndInterruptEndsIt) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  Process run = fleet.machine.Start({"run", "--plane", "lab", "--", "sh", "-c", "echo begun; sleep 120"});
  ASSERT_TRUE(run.WaitForOutput("begun\n")) << "nothing came while it ran\n" << fleet.Log();
  ::kill(run.pid(), SIGINT);
  const Ended ended = run.Wait();
  EXPECT_EQ(ended.status, 130) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("cancelled"));
}

TEST(Plane, MuchOutputIsByteForByte) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const Ended ended = fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); echo line $i; done"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  std::string wanted;
  for (int i = 1; i <= 200'000; ++i) wanted += fmt::format("line {}\n", i);
  EXPECT_TRUE(ended.out == wanted) << ended.out.size() << " bytes of " << wanted.size();
}

TEST(Plane, ARepositoryTravelsAndItsChangesComeBack) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const std::string repository = fleet.Repository();
  const StartOptions here{.directory = repository};
  const Ended submitted = fleet.machine.Run({"submit", "--", "sh", "-c", "cat a.txt; echo two >> a.txt; echo new > b.txt"}, here);
  ASSERT_EQ(submitted.status, 0) << submitted.err << fleet.Log();
  const std::string id = submitted.out.substr(0, submitted.out.find('\n'));
  const Ended waited = fleet.machine.Run({"wait", "--logs", id}, here);
  EXPECT_EQ(waited.status, 0) << waited.err << fleet.Log();
  EXPECT_THAT(waited.out, HasSubstr("one\n"));
  const Ended verified = fleet.machine.Run({"verify", "--plane", "lab", id}, here);
  EXPECT_EQ(verified.status, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("VERIFIED"));
  const Ended pulled = fleet.machine.Run({"pull", id}, here);
  EXPECT_EQ(pulled.status, 0) << pulled.err;
  EXPECT_EQ(sys::ReadFile(repository + "/a.txt", 100).value(), "one\ntwo\n");
  EXPECT_EQ(sys::ReadFile(repository + "/b.txt", 100).value(), "new\n");
  const canon::Json again = fleet.machine.Json({"pull", "--json", id}, here);
  EXPECT_EQ(Member(again, "result"), "branch") << "the working tree has changes now, and they stay";
}

TEST(Plane, SeveralAttemptsAreCompared) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const StartOptions here{.directory = fleet.Repository()};
  const canon::Json json = fleet.machine.Json({"fanout", "-n", "2", "--json", "echo more >> a.txt"}, here);
  EXPECT_EQ(Member(json, "exitCode"), "0");
  ASSERT_NE(json.Find("attempts"), nullptr);
  EXPECT_EQ(json.Find("attempts")->array().size(), 2u);
  EXPECT_NE(Member(json, "best"), "");
  const Ended many = fleet.machine.Run({"fanout", "-n", "9", "x"}, here);
  EXPECT_EQ(many.status, 122);
  EXPECT_THAT(many.err, HasSubstr("requested 9 parallel runs exceeds policy ceiling 4"));
  fleet.machine.Write("chat.txt", "user: hello\n");
  const canon::Json handed = fleet.machine.Json({"continue", "--json", "--wait", "--transcript", fleet.machine.File("chat.txt"), "--reason", "why", "cat a.txt"}, here);
  EXPECT_EQ(Member(handed, "exitCode"), "0");
}

TEST(Plane, WhatNeedsConsentWaitsForIt) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet(R"({"when": "any-run", "approvers": ["admin"]})");
  const Ended asked = fleet.machine.Run({"run", "--plane", "lab", "--", "echo", "hi"});
  EXPECT_EQ(asked.status, 123) << asked.err;
  EXPECT_THAT(asked.err, HasSubstr("writ approve run_"));
  const canon::Json pending = fleet.machine.Json({"pending", "--json", "--plane", "lab"});
  ASSERT_EQ(pending.Find("approvals")->array().size(), 1u);
  const canon::Json& waiting = pending.Find("approvals")->array().front();
  const std::string id = Member(waiting, "runId");
  EXPECT_EQ(fleet.machine.Run({"approve", "--plane", "lab", id}).status, 2) << "nobody is there to ask";
  EXPECT_EQ(fleet.machine.Run({"approve", "--plane", "lab", "--digest", std::string(64, '0'), id}).status, 1) << "not what would run";
  const Ended approved = fleet.machine.Run({"approve", "--plane", "lab", "--digest", Member(waiting, "digest"), id});
  EXPECT_EQ(approved.status, 0) << approved.err << fleet.Log();
  EXPECT_THAT(approved.err, HasSubstr("echo"));
  EXPECT_EQ(fleet.machine.Run({"wait", "--plane", "lab", id}).status, 0);

  const Ended second = fleet.machine.Run({"submit", "--no-workspace", "echo no"});
  EXPECT_EQ(second.status, 0) << second.err;
  const std::string denied = second.out.substr(0, second.out.find('\n'));
  EXPECT_EQ(fleet.machine.Run({"deny", "--plane", "lab", "--reason", "not today", denied}).status, 0);
  EXPECT_EQ(fleet.machine.Run({"wait", denied}).status, 130);
}

TEST(Plane, PeopleRunnersAndTheRecord) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const std::string token = fleet.machine.File("alice.token");
  EXPECT_EQ(fleet.machine.Run({"principals", "add", "alice", "requester", "-o", token}).status, 0);
  EXPECT_EQ(fleet.machine.Run({"run", "-q", "--plane", fleet.url, "--token-file", token, "--", "true"}).status, 0);
  EXPECT_EQ(fleet.machine.Run({"principals", "list", "--plane", fleet.url, "--token-file", token}).status, 1) << "a requester may not";
  EXPECT_EQ(fleet.machine.Run({"principals", "revoke", "alice"}).status, 0);
  EXPECT_EQ(fleet.machine.Run({"run", "-q", "--plane", fleet.url, "--token-file", token, "--", "true"}).status, 125);
  EXPECT_THAT(fleet.machine.Run({"principals", "list"}).out, HasSubstr("revoked"));
  EXPECT_EQ(fleet.machine.Json({"runners", "--json"}).Find("runners")->array().size(), 1u);
  EXPECT_NE(Member(fleet.machine.Json({"enroll-token", "--json"}), "token"), "");
  EXPECT_EQ(Member(fleet.machine.Json({"plane", "status", "--json"}), "tokenTaken"), "true");
  EXPECT_THAT(fleet.machine.Run({"export"}).out, HasSubstr("run.completed"));
  EXPECT_EQ(fleet.machine.Json({"list", "--json", "--plane", "lab"}).Find("runs")->array().size(), 1u);
  EXPECT_THAT(fleet.Log(), Not(HasSubstr("admin-token-0123456789abcdef"))) << "no token in a log";
}

TEST(Plane, AnotherKeyIsRefused) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  ASSERT_EQ(fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "true"}).status, 0);
  const std::string known = fleet.machine.File("state/known_planes");
  const std::string text = sys::ReadFile(known, 4096).value();
  const Ended pinned = fleet.machine.Run({"run", "-q", "--plane", "lab", "--plane-key", "ed25519:0000000000000000", "--", "true"});
  EXPECT_EQ(pinned.status, 125);
  EXPECT_THAT(pinned.err, HasSubstr("is not pinned"));
  const Fleet stranger;
  ASSERT_EQ(stranger.machine.Run({"run", "-q", "--plane", "lab", "--", "true"}).status, 0);
  const std::string line = sys::ReadFile(stranger.machine.File("state/known_planes"), 4096).value();
  ASSERT_TRUE(sys::WriteFileAtomic(known, fleet.url + line.substr(line.find(' ')), 0600));  // another plane's key under this address
  const Ended changed = fleet.machine.Run({"run", "--plane", "lab", "--", "true"});
  EXPECT_EQ(changed.status, 125);
  EXPECT_THAT(changed.err, HasSubstr("the key of " + fleet.url + " has changed"));
  EXPECT_THAT(changed.err, HasSubstr("writ plane forget"));
  ASSERT_TRUE(sys::WriteFileAtomic(known, "garbage\n", 0600));
  EXPECT_EQ(fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "true"}).status, 125) << "a file that cannot be read trusts nobody";
  ASSERT_TRUE(sys::WriteFileAtomic(known, text, 0600));
  EXPECT_EQ(fleet.machine.Run({"plane", "forget", fleet.url}).status, 0);
  EXPECT_EQ(fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "true"}).status, 0);
}

}  // namespace
}  // namespace writ::cli_test

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "api/plane_for_test.h"
#include "contract/extension.h"

namespace writ::api {
namespace {

using isolation::Place;
using isolation::Stream;
using isolation::Termination;
using namespace isolation::fake;  // NOLINT: the steps of scripts
using testing::ElementsAre;
using testing::HasSubstr;

class LocalRunTest : public PlaneTest {};

TEST_F(LocalRunTest, AJobThatDoesNothingStillLeavesItsEvidence) {
  const RunResult result = Run();
  EXPECT_EQ(result.decision.verdict, Verdict::kAllow);
  EXPECT_EQ(result.status, "completed");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.problem, "");
  EXPECT_THAT(EventTypes(result.run_id),
              ElementsAre("run.created", "policy.evaluated", "run.claimed", "workspace.materialized",
                          "writ.cell.prepared", "writ.run.ended", "command.executed", "run.completed"));
  ExpectVerified(result.run_id);
  const auto report = plane().Verify(result.run_id);
  EXPECT_THAT(report->warnings, ElementsAre());
}

TEST_F(LocalRunTest, WithoutANetworkTheContractOpensNothing) {
  const RunResult result = Run();
  EXPECT_EQ(result.contract.Find("writ")->Find("egress"), nullptr);
  EXPECT_EQ(canon::Compact(*result.contract.Find("network")), R"({"defaultDeny":true,"allowHosts":[]})");
  for (const auto& entry : last_env_) EXPECT_THAT(entry, testing::Not(HasSubstr("proxy"))) << entry;
}

TEST_F(LocalRunTest, WhatTheNetworkMayBeStandsInTheContract) {
  CreateRun request = Request();
  request.network = {.asked = true,
                     .open = false,
                     .rules = {"One.Test", "two.test:443", "one.test", "two.test:443", "api.test GET /v1/**", "*.sub.test"},
                     .budget_bytes = 4096};
  request.env = {{"https_proxy", "http://mine:1", EnvSource::kLiteral}};
  const RunResult result = Run(std::move(request));
  EXPECT_EQ(canon::Compact(*result.contract.Find("writ")->Find("egress")),
            R"({"rules":["One.Test","two.test:443","one.test","api.test GET /v1/**","*.sub.test"],"budgetBytes":4096})");
  EXPECT_EQ(canon::Compact(*result.contract.Find("network")), R"({"defaultDeny":true,"allowHosts":["one.test"]})");
  EXPECT_EQ(canon::Compact(*result.contract.Find("execution")->Find("env")->Find("egressProxy")), "true");
  EXPECT_THAT(last_env_, testing::IsSupersetOf({"HTTP_PROXY=http://127.0.0.1:3128", "HTTPS_PROXY=http://127.0.0.1:3128",
                                                "http_proxy=http://127.0.0.1:3128", "all_proxy=http://127.0.0.1:3128",
                                                "NO_PROXY=localhost,127.0.0.1,::1", "https_proxy=http://mine:1"}));
  EXPECT_EQ(std::ranges::count_if(last_env_, [](const auto& e) { return e.starts_with("https_proxy="); }), 1);
  ExpectVerified(result.run_id);
}

TEST_F(LocalRunTest, OpenIsSaidInBothPlaces) {
  CreateRun request = Request();
  request.network = {.asked = true, .open = true, .rules = {}, .budget_bytes = {}};
  const RunResult result = Run(std::move(request));
  EXPECT_EQ(canon::Compact(*result.contract.Find("writ")->Find("egress")), R"({"rules":[],"open":true})");
  EXPECT_EQ(canon::Compact(*result.contract.Find("network")), R"({"defaultDeny":false,"allowHosts":[]})");
}

TEST_F(LocalRunTest, APolicyIsACeilingForTheNetwork) {
  Put(path("policy.yaml"),
      "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n"
      "network: {allowHosts: [a.test]}\negress: {rules: ['*.b.test:443'], budget: 1M}\n");
  policy_file_ = path("policy.yaml");
  const auto run = [&](std::vector<std::string> rules, bool open, std::optional<std::uint64_t> budget) {
    CreateRun request = Request();
    request.network = {.asked = true, .open = open, .rules = std::move(rules), .budget_bytes = budget};
    return Run(std::move(request));
  };
  EXPECT_EQ(Run().exit_code, 0) << "no network, nothing to object to";
  const RunResult allowed = run({"a.test:443", "x.b.test:443"}, false, 4096);
  EXPECT_EQ(allowed.decision.verdict, Verdict::kAllow);
  EXPECT_NE(allowed.run_id, "") << "it was contracted, though this backend has no doors to serve";
  const RunResult denied = run({"a.test:443", "b.test:443", "x.b.test"}, true, {});
  EXPECT_EQ(denied.exit_code, 122);
  EXPECT_EQ(denied.run_id, "");
  EXPECT_THAT(denied.decision.reasons, ElementsAre(HasSubstr("\"b.test:443\""), HasSubstr("\"x.b.test\""), HasSubstr("every public host"),
                                                   HasSubstr("budget")));
  EXPECT_THAT(denied.decision.grant, HasSubstr("add \"b.test:443\" to egress.rules"));
}

TEST_F(LocalRunTest, ABadRuleIsRefusedBeforeAnythingIsStored) {
  CreateRun request = Request();
  request.network = {.asked = true, .open = false, .rules = {"http://x/"}, .budget_bytes = {}};
  const auto refused = plane().Run(std::move(request), sink_, control_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, HasSubstr("egress rule"));
  EXPECT_TRUE(plane().List(10, false)->empty());
}

TEST_F(LocalRunTest, EventsComeInTheSettledOrder) {
  ASSERT_TRUE(sys::MakeDirectories(path("work"), 0700));
  Put(path("work/kept.txt"), "kept\n");
  Put(path("work/old.txt"), "old\n");
  Put(path("data.csv"), "1,2\n");
  script_.steps = {Print{Stream::kStdout, "hello\n"},
                   Print{Stream::kStderr, "careful\n"},
                   WriteFile{Place::kWorkspace, "old.txt", "new\n"},
                   WriteFile{Place::kWorkspace, "sub/added.txt", "added\n"},
                   Delete{"kept.txt"},
                   WriteFile{Place::kOut, "result.txt", "42\n"},
                   WriteFile{Place::kOut, "junk.txt", "junk"}};
  CreateRun request = Request();
  request.workspace = path("work");
  request.inputs = {{path("data.csv"), ""}};
  request.outputs = {{"result.txt", false}};
  request.out_dir = path("results");
  const RunResult result = Run(std::move(request));
  EXPECT_EQ(result.exit_code, 0) << result.problem;
  EXPECT_THAT(EventTypes(result.run_id),
              ElementsAre("run.created", "policy.evaluated", "run.claimed", "workspace.materialized",
                          "writ.input.staged", "writ.cell.prepared", "writ.run.ended", "command.executed",
                          "file.changed", "file.changed", "file.changed", "writ.changes.recorded", "artifact.created",
                          "boundary.crossed", "artifact.created", "boundary.crossed", "writ.stream.kept",
                          "writ.stream.kept", "writ.output.collected", "writ.output.undeclared", "writ.outputs.recorded",
                          "run.completed"));
  ExpectVerified(result.run_id);
  EXPECT_EQ(sink_.out, "hello\n");
  EXPECT_EQ(result.files_changed, 4u);  // the new directory counts
  ASSERT_EQ(result.outputs.size(), 1u);
  EXPECT_EQ(Read(result.outputs[0].written_to), "42\n");
  EXPECT_THAT(result.undeclared, ElementsAre("junk.txt"));
  EXPECT_EQ(Read(path("work/old.txt")), "old\n") << "nothing is applied unasked";

  // What a later command can still get.
  std::string log, diff;
  const auto into = [](std::string& text) {
    return [&text](ByteView bytes) -> Result<> {
      text += AsText(bytes);
      return {};
    };
  };
  ASSERT_TRUE(plane().ReadKind(result.run_id, "log", into(log)));
  EXPECT_EQ(log, "hello\ncareful\n");
  ASSERT_TRUE(plane().ReadKind(result.run_id, "diff", into(diff)));
  EXPECT_THAT(diff, HasSubstr("+new"));
  const auto again = plane().GetOutputs(result.run_id, "", path("again"));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(Read(path("again/result.txt")), "42\n");
  const auto applied = plane().Apply({.run = result.run_id.substr(4, 8), .directory = "", .dry_run = false,
                                      .force = false, .flagged = false});
  ASSERT_TRUE(applied) << applied.error().what;
  EXPECT_TRUE(applied->applied) << testing::PrintToString(applied->conflicts);
  EXPECT_EQ(Read(path("work/old.txt")), "new\n");
  EXPECT_EQ(Read(path("work/sub/added.txt")), "added\n");
  EXPECT_NE(::access(path("work/kept.txt").c_str(), F_OK), 0);
}

TEST_F(LocalRunTest, TheContractSaysWhatWasAsked) {
  CreateRun request = Request({"sh", "-c", "echo $HOME"});
  request.env = {{"CLEAR", "seen", EnvSource::kLiteral}, {"TERM", "xterm", EnvSource::kCaller}};
  request.cwd = "sub";
  const RunResult result = Run(std::move(request));
  const canon::Json& contract = result.contract;
  EXPECT_EQ(*contract.Find("task")->FindString("prompt"), "sh -c 'echo $HOME'");
  EXPECT_EQ(*contract.Find("runner")->FindString("pool"), "local");
  EXPECT_EQ(*contract.Find("agent")->FindString("kind"), "command");
  EXPECT_EQ(*contract.Find("requestedBy")->FindString("id"), "ada");
  EXPECT_EQ(*contract.Find("disclosure"), canon::Json("none"));
  EXPECT_EQ(*contract.Find("network"), *canon::Parse(R"({"defaultDeny":true,"allowHosts":[]})", canon::Mode::kStrict));
  EXPECT_EQ(*contract.Find("budget"), canon::Json::MakeObject());
  EXPECT_EQ(contract.Find("isolation"), nullptr);
  const canon::Json& env = *contract.Find("execution")->Find("env");
  EXPECT_EQ(*env.Find("vars")->FindString("CLEAR"), "seen");
  const std::string text = canon::Compact(contract);
  EXPECT_THAT(text, HasSubstr("TERM"));
  EXPECT_EQ(text.find("xterm"), text.npos) << "a value from the caller's environment is not in the contract";
  EXPECT_THAT(last_env_, testing::Contains("TERM=xterm"));
  EXPECT_THAT(last_env_, testing::Contains("HOME=/tmp/home"));
  const auto extension = contract::DecodeContractExtension(*contract.Find("writ"));
  ASSERT_TRUE(extension) << extension.error().what;
  EXPECT_EQ(extension->tier, "process");
  const auto ran = contract::DecodeReceiptExtension(*result.receipt.Find("writ"));
  ASSERT_TRUE(ran) << ran.error().what;
  EXPECT_EQ(ran->backend.name, "fake");
  EXPECT_EQ(ran->enforced.at("memory"), "fake");
}

TEST_F(LocalRunTest, EveryEndHasItsExitCodeAndItsReceipt) {
  struct Case {
    Termination how;
    int code, exit_code;
    const char* status;
    const char* word;
  };
  const Case cases[] = {{Termination::kExited, 7, 7, "failed", "exited"},
                        {Termination::kSignal, 9, 137, "failed", "signal"},
                        {Termination::kTimeLimit, 0, 124, "failed", "time_limit"},
                        {Termination::kMemoryLimit, 0, 137, "failed", "memory_limit"},
                        {Termination::kNotStarted, 127, 127, "failed", "not_started"},
                        {Termination::kNotStarted, 126, 126, "failed", "not_started"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.word);
    script_.end = {.how = c.how, .code = c.code, .message = "", .use = {}};
    const RunResult result = Run();
    EXPECT_EQ(result.exit_code, c.exit_code);
    EXPECT_EQ(result.status, c.status);
    EXPECT_EQ(HowEnded(result.receipt), c.word);
    EXPECT_EQ(EventTypes(result.run_id).back(), "run.failed");
    EXPECT_TRUE(contract::DecodeReceiptExtension(*result.receipt.Find("writ")));
    ExpectVerified(result.run_id);
    const auto details = plane().Show(result.run_id);
    ASSERT_TRUE(details);
    EXPECT_EQ(details->row.exit_code, c.exit_code);
  }
}

TEST_F(LocalRunTest, ATierThatCannotStartLeavesAReceipt) {
  script_.start_error = Error{Code::kInternal, "the jail is broken"};
  RunResult result = Run();
  EXPECT_EQ(result.exit_code, 125);
  EXPECT_THAT(result.problem, HasSubstr("the jail is broken"));
  EXPECT_EQ(HowEnded(result.receipt), "not_started");
  EXPECT_EQ(*result.receipt.Find("writ")->FindString("tier"), "none");
  EXPECT_EQ(*plane().Events(result.run_id)->back().Find("event")->FindString("failure"), "session_failed");
  EXPECT_TRUE(contract::DecodeReceiptExtension(*result.receipt.Find("writ")));
  ExpectVerified(result.run_id);

  script_.start_error = Error{Code::kUnavailable, "the cgroup went away"};
  result = Run();
  EXPECT_EQ(*plane().Events(result.run_id)->back().Find("event")->FindString("failure"), "capability_mismatch");
  ExpectVerified(result.run_id);
}

TEST_F(LocalRunTest, ATierThatSaysNoIsARefusalWithoutAContract) {
  script_.accepts_error = Error{Code::kUnavailable, "memory: pass --accept memory=rlimit"};
  auto result = plane().Run(Request(), sink_, control_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnavailable);
  EXPECT_THAT(result.error().what, HasSubstr("--accept memory=rlimit"));
  EXPECT_TRUE(plane().List(10, false)->empty());
  const auto decisions = plane().Decisions(10);
  ASSERT_TRUE(decisions);
  ASSERT_EQ(decisions->size(), 1u);
  EXPECT_THAT(canon::Compact(decisions->front()), HasSubstr("refusal"));

  CreateRun other = Request();
  other.tier = "wasm";
  script_.accepts_error.reset();
  result = plane().Run(std::move(other), sink_, control_);
  EXPECT_FALSE(result && result->run_id != "") << "the default policy allows the process tier only";
}

TEST_F(LocalRunTest, AMissingOutputFailsTheRunUnlessOptional) {
  CreateRun request = Request();
  request.outputs = {{"there", true}, {"needed", false}};
  RunResult result = Run(std::move(request));
  EXPECT_EQ(result.exit_code, 125);
  EXPECT_EQ(result.status, "failed");
  EXPECT_THAT(result.problem, HasSubstr("needed"));
  EXPECT_THAT(result.missing, ElementsAre("needed"));
  ExpectVerified(result.run_id);

  request = Request();
  request.outputs = {{"there", true}};
  EXPECT_EQ(Run(std::move(request)).exit_code, 0);

  script_.end.code = 3;
  request = Request();
  request.outputs = {{"needed", false}};
  result = Run(std::move(request));
  EXPECT_EQ(result.exit_code, 3) << "a job that fails by itself is reported as it failed";
}

TEST_F(LocalRunTest, CutOutputIsMarkedAndTheRunGoesOn) {
  script_.steps = {Flood{Stream::kStdout, 1 << 20}};
  CreateRun request = Request();
  request.limits.stdout_bytes = 1000;
  RunResult result = Run(std::move(request));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(sink_.out.size(), 1000u);
  EXPECT_EQ(sink_.cuts, 1);
  EXPECT_THAT(canon::Compact(result.receipt), HasSubstr(R"("truncated":{"stdout":true})"));
  ExpectVerified(result.run_id);

  request = Request();
  request.limits.stdout_bytes = 1000;
  request.kill_on_output_limit = true;
  result = Run(std::move(request));
  EXPECT_EQ(result.exit_code, 137);
  EXPECT_EQ(HowEnded(result.receipt), "output_limit");
  EXPECT_THAT(EventTypes(result.run_id), testing::Contains("writ.limit.reached"));
}

TEST_F(LocalRunTest, AReaderThatFailsEndsTheRunWithAReceipt) {
  struct Broken final : isolation::OutputSink {
    Result<> Write(Stream, ByteView) override { return Fail(Code::kInternal, "terminal gone"); }
    Result<> Truncated(Stream) override { return {}; }
  } broken;
  script_.steps = {Print{Stream::kStdout, "x"}};
  const auto result = plane().Run(Request(), broken, control_);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->exit_code, 125);
  EXPECT_THAT(result->problem, HasSubstr("terminal gone"));
  EXPECT_EQ(HowEnded(result->receipt), "interrupted");
  ExpectVerified(result->run_id);
}

TEST_F(LocalRunTest, StandardInputReachesTheGuest) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  CreateRun request = Request();
  request.stdin_fd = sys::UniqueFd(ends[0]);
  {
    const sys::UniqueFd typist(ends[1]);
    ASSERT_TRUE(sys::WriteAll(typist.get(), "typed\n"));
  }
  script_.steps = {CopyStdin{}};
  EXPECT_EQ(Run(std::move(request)).exit_code, 0);
  EXPECT_EQ(sink_.out, "typed\n");
}

TEST_F(LocalRunTest, ADryRunStoresNothing) {
  ASSERT_TRUE(sys::MakeDirectories(path("work"), 0700));
  Put(path("work/a.txt"), "12345");
  CreateRun request = Request();
  request.workspace = path("work");
  const auto preview = plane().DryRun(request);
  ASSERT_TRUE(preview) << preview.error().what;
  EXPECT_EQ(preview->decision.verdict, Verdict::kAllow);
  EXPECT_EQ(preview->refusal, "");
  EXPECT_EQ(preview->workspace_files, 1u);
  EXPECT_EQ(preview->workspace_bytes, 5u);
  EXPECT_EQ(*preview->contract.Find("task")->FindString("prompt"), "job");
  EXPECT_NE(::access(state().c_str(), F_OK), 0) << "not even the state directory";
}

TEST_F(LocalRunTest, TwoPlanesShareOneStateDirectory) {
  const RunResult first = Run();
  auto other = NewPlane();
  const auto second = other->Run(Request(), sink_, control_);
  ASSERT_TRUE(second) << second.error().what;
  const auto list = plane().List(10, false);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].run_id, second->run_id) << "newest first";
  EXPECT_EQ((*list)[1].run_id, first.run_id);
  ASSERT_TRUE(plane().VerifyDecisions());
  ExpectVerified(first.run_id);
  ExpectVerified(second->run_id);
}

TEST_F(LocalRunTest, GarbageCollectionKeepsWhatIsNamed) {
  script_.steps = {Print{Stream::kStdout, "one"}};
  const RunResult first = Run();
  const RunResult second = Run();
  FakeClock later(std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()) + std::chrono::hours{1000});
  clock_ = &later;
  plane_ = NewPlane();
  const auto collected = plane().Gc({.older_than = std::chrono::hours{1}, .keep_last = 1, .dry_run = false});
  ASSERT_TRUE(collected) << collected.error().what;
  EXPECT_THAT(collected->runs, ElementsAre(first.run_id));
  EXPECT_EQ(collected->blobs, 0u) << "the second run names the same output";
  ExpectVerified(second.run_id);
  EXPECT_FALSE(plane().Show(first.run_id));
}

}  // namespace
}  // namespace writ::api

#include "api/local_consent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <thread>

#include "api/plane_for_test.h"
#include "contract/hash.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::StartsWith;

/// A policy that asks, and a clock that stands still.
class LocalConsent : public PlaneTest {
 protected:
  LocalConsent() {
    clock_ = &fake_clock_;
    WritePolicy("[bob, ada]");
  }
  void WritePolicy(const std::string& approvers, const std::string& more = "") {
    policy_file_ = path("policy.yaml");
    Put(policy_file_, "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n"
                      "consent:\n  - when: any-run\n    approvers: " + approvers + "\n" + more);
  }
  RunResult Parked(std::vector<std::string> argv = {"job"}) {
    RunResult result = Run(Request(std::move(argv)));
    EXPECT_EQ(result.exit_code, 123) << result.problem;
    EXPECT_EQ(result.status, "awaiting_approval");
    return result;
  }
  RunResult Resumed(const std::string& run, std::vector<std::string> argv = {"job"}) {
    CreateRun request = Request(std::move(argv));
    request.resume = run;
    return Run(std::move(request));
  }
  Result<ConsentResult> By(const std::string& name, const std::string& run, bool approve = true, const std::string& digest = "",
                           const std::string& reason = "") {
    return NewPlane()->Answer({run, approve, digest, reason, {1000, name}});
  }

  FakeClock fake_clock_{*ParseTimestamp("2026-06-11T00:00:00.000Z")};
};

TEST_F(LocalConsent, ParkedApprovedResumed) {
  const RunResult parked = Parked();
  EXPECT_THAT(parked.problem, HasSubstr("writ approve " + parked.run_id));
  EXPECT_THAT(parked.problem, HasSubstr("writ run --resume " + parked.run_id));
  const auto pending = NewPlane()->Pending();
  ASSERT_TRUE(pending) << pending.error().what;
  ASSERT_EQ(pending->size(), 1u);
  EXPECT_EQ(*pending->front().FindString("digest"), *contract::HashCanonical(*pending->front().Find("request")));
  EXPECT_EQ(NewPlane()->List(10, false)->front().status, "awaiting_approval");

  EXPECT_EQ(Resumed(parked.run_id).exit_code, 123);  // nobody has answered
  const auto given = By("bob", parked.run_id);
  ASSERT_TRUE(given) << given.error().what;
  EXPECT_EQ(given->status, "approved");
  const RunResult run = Resumed(parked.run_id);
  EXPECT_EQ(run.exit_code, 0) << run.problem;
  EXPECT_EQ(run.run_id, parked.run_id);
  EXPECT_EQ(run.contract.Find("approvedBy")->array()[0], Json::Of({{"kind", "human"}, {"id", "bob"}}));
  EXPECT_EQ(*run.contract.Find("writ")->FindString("approval"), *pending->front().FindString("digest"));
  std::vector<std::string> types = EventTypes(run.run_id);
  types.resize(5);
  EXPECT_THAT(types, testing::ElementsAre("run.created", "policy.evaluated", "consent.requested", "consent.granted", "run.claimed"));
  const auto verified = NewPlane()->Verify(run.run_id);
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->ok) << fmt::format("{}", fmt::join(verified->problems, "; "));
  EXPECT_TRUE(NewPlane()->VerifyDecisions());
  // Single use.
  const auto twice = plane().Run([&] { CreateRun request = Request(); request.resume = parked.run_id; return request; }(), sink_, control_);
  EXPECT_FALSE(twice);
  EXPECT_FALSE(By("ada", parked.run_id));
}

TEST_F(LocalConsent, OrderRepeatsTheCommandLine) {
  CreateRun request = Request({"sh", "-c", "echo 'a b'"});
  request.env = {{"A", "1", EnvSource::kLiteral}, {"B", "secret value", EnvSource::kCaller}};
  request.limits.pids = 7;
  const RunResult parked = Run(std::move(request));
  const auto order = NewPlane()->Order(parked.run_id);
  ASSERT_TRUE(order) << order.error().what;
  const std::string words = fmt::format("{}", fmt::join(order->words, "|"));
  EXPECT_THAT(words, HasSubstr("--env|A=1|--env|B|"));
  EXPECT_THAT(words, HasSubstr("--pids|7|"));
  EXPECT_THAT(words, testing::EndsWith("--|sh|-c|echo 'a b'"));
  EXPECT_THAT(words, testing::Not(HasSubstr("secret value")));
  EXPECT_FALSE(order->directory.empty());
}

TEST_F(LocalConsent, DeniedAndCancelled) {
  const std::string denied = Parked().run_id, killed = Parked().run_id;
  EXPECT_EQ(By("eve", denied, false).error().code, Code::kDenied);
  ASSERT_TRUE(By("bob", denied, false, "", "no"));
  const RunResult resumed = Resumed(denied);
  EXPECT_EQ(resumed.exit_code, 122);
  EXPECT_EQ(resumed.problem, "denied by bob: no");
  EXPECT_TRUE(NewPlane()->Kill(killed, Deadline::After(Millis{1000})));
  EXPECT_EQ(By("bob", killed).error().code, Code::kInvalid);
  EXPECT_TRUE(NewPlane()->Pending()->empty());
}

TEST_F(LocalConsent, Attack16_ChangedInputsAreAskedAboutAgain) {
  Put(path("input"), "reviewed");
  const auto with_input = [&](const std::string& resume) {
    CreateRun request = Request();
    request.inputs = {{path("input"), "input"}};
    request.resume = resume;
    return Run(std::move(request));
  };
  const RunResult parked = with_input("");
  ASSERT_TRUE(By("bob", parked.run_id)) << parked.problem;
  Put(path("input"), "replaced");
  const RunResult again = with_input(parked.run_id);
  EXPECT_EQ(again.exit_code, 123);
  EXPECT_NE(again.run_id, parked.run_id);
  EXPECT_THAT(again.problem, HasSubstr("has changed since run " + parked.run_id + " was approved"));
  // The old approval is spent, the new one is for the new bytes.
  EXPECT_FALSE(By("ada", parked.run_id));
  ASSERT_TRUE(By("bob", again.run_id));
  EXPECT_EQ(with_input(again.run_id).exit_code, 0);
}

TEST_F(LocalConsent, Attack16_AnotherCommandOrPolicyIsAskedAboutAgain) {
  const RunResult parked = Parked();
  ASSERT_TRUE(By("bob", parked.run_id));
  const RunResult other = Resumed(parked.run_id, {"job", "--force"});
  EXPECT_EQ(other.exit_code, 123);
  EXPECT_NE(other.run_id, parked.run_id);
  ASSERT_TRUE(By("bob", other.run_id));
  WritePolicy("[carol]");  // the approver set changes after review
  const RunResult under_another = Resumed(other.run_id, {"job", "--force"});
  EXPECT_EQ(under_another.exit_code, 123);
  EXPECT_NE(under_another.run_id, other.run_id);
  EXPECT_EQ(By("bob", under_another.run_id).error().code, Code::kDenied);
}

TEST_F(LocalConsent, Attack16_AnotherValueOfTheCallersEnvironmentIsAskedAboutAgain) {
  const auto with_value = [&](const std::string& value, const std::string& resume) {
    CreateRun request = Request();
    request.env = {{"TARGET", value, EnvSource::kCaller}};
    request.resume = resume;
    return Run(std::move(request));
  };
  const RunResult parked = with_value("staging", "");
  const auto shown = NewPlane()->Approval(parked.run_id);
  ASSERT_TRUE(shown) << shown.error().what;
  const Json* bound = shown->Find("request")->Find("writ")->Find("bound");
  ASSERT_NE(bound, nullptr);
  EXPECT_EQ(bound->FindString("environment")->size(), 64u);
  EXPECT_THAT(canon::Compact(*shown), testing::Not(HasSubstr("staging")));
  ASSERT_TRUE(By("bob", parked.run_id));
  const RunResult again = with_value("production", parked.run_id);
  EXPECT_EQ(again.exit_code, 123);
  EXPECT_THAT(again.problem, HasSubstr("has changed since run " + parked.run_id + " was approved"));
  ASSERT_TRUE(By("bob", again.run_id));
  EXPECT_EQ(with_value("production", again.run_id).exit_code, 0);
  // Equal values of two runs cannot be told to be equal.
  const auto other = NewPlane()->Approval(with_value("production", "").run_id);
  EXPECT_NE(*other->Find("request")->Find("writ")->Find("bound"), *bound);
}

TEST_F(LocalConsent, Attack16_AnotherRootUnderTheSameNameIsAskedAboutAgain) {
  const std::string root = path("image");
  const auto make = [&] {
    ASSERT_TRUE(sys::MakeDirectories(root + "/bin", 0755));
    Put(root + "/bin/job", "job");
  };
  const auto with_root = [&](const std::string& resume) {
    CreateRun request = Request();
    request.root = root;
    request.resume = resume;
    return Run(std::move(request));
  };
  make();
  const RunResult same = with_root(""), parked = with_root("");
  ASSERT_TRUE(By("bob", same.run_id)) << same.problem;
  EXPECT_EQ(with_root(same.run_id).exit_code, 0) << "nothing changed";
  ASSERT_TRUE(By("bob", parked.run_id));
  ASSERT_EQ(::rename(root.c_str(), path("reviewed").c_str()), 0);
  make();
  const RunResult again = with_root(parked.run_id);
  EXPECT_EQ(again.exit_code, 123);
  EXPECT_THAT(again.problem, HasSubstr("has changed since run " + parked.run_id + " was approved"));
}

TEST_F(LocalConsent, Attack16_DigestExpiryAndSelfApproval) {
  WritePolicy("[ada, bob]", "    notRequester: true\n    expires: 1h\n");
  const std::string run = Parked().run_id, late = Parked().run_id;
  EXPECT_EQ(By("bob", run, true, std::string(64, '0')).error().what, "what would run has changed since it was shown");
  EXPECT_EQ(By("ada", run).error().code, Code::kDenied);  // she asked
  ASSERT_TRUE(By("bob", run));
  fake_clock_.Advance(std::chrono::hours{1});
  EXPECT_EQ(By("bob", late).error().code, Code::kInvalid);
  const RunResult resumed = Resumed(run);
  EXPECT_EQ(resumed.exit_code, 123);
  EXPECT_THAT(resumed.problem, StartsWith("consent_timeout: "));
  EXPECT_TRUE(NewPlane()->Pending()->empty());
}

TEST_F(LocalConsent, MOfN) {
  WritePolicy("[bob, carol, dan]", "    required: 2\n");
  const std::string run = Parked().run_id;
  EXPECT_EQ(By("bob", run)->status, "awaiting_approval");
  EXPECT_FALSE(By("bob", run));
  EXPECT_EQ(Resumed(run).exit_code, 123);
  EXPECT_EQ(By("carol", run)->status, "approved");
  EXPECT_EQ(Resumed(run).exit_code, 0);
}

/// Answers as soon as the run waits, from another plane, as another terminal would.
class AnswerWhenParked final : public RunControl {
 public:
  explicit AnswerWhenParked(std::function<void(const std::string&)> answer) : answer_(std::move(answer)) {}
  void OnParked(std::string_view run_id, std::string_view) override { answer_(std::string(run_id)); }

 private:
  std::function<void(const std::string&)> answer_;
};

TEST_F(LocalConsent, WaitsForTheAnswer) {
  const auto wait = [&](std::function<void(const std::string&, RunControl&)> answer) {
    AnswerWhenParked* self = nullptr;
    AnswerWhenParked control([&](const std::string& run) { answer(run, *self); });
    self = &control;
    CreateRun request = Request();
    request.wait_for_consent = true;
    auto result = plane().Run(std::move(request), sink_, control);
    EXPECT_TRUE(result) << result.error().what;
    return result ? *std::move(result) : RunResult{};
  };
  EXPECT_EQ(wait([&](const std::string& run, RunControl&) { EXPECT_TRUE(By("bob", run)); }).exit_code, 0);
  EXPECT_EQ(wait([&](const std::string& run, RunControl&) { EXPECT_TRUE(By("bob", run, false)); }).exit_code, 122);
  const RunResult cancelled = wait([](const std::string&, RunControl& control) { control.Cancel(); });
  EXPECT_EQ(cancelled.status, "cancelled");
  const RunResult expired = wait([&](const std::string&, RunControl&) { fake_clock_.Advance(plane::kQuestionLife); });
  EXPECT_THAT(expired.problem, StartsWith("consent_timeout: "));
}

TEST_F(LocalConsent, Attack18_WhatHoldsTheAnswersCannotBeGivenToAParkedRun) {
  ASSERT_EQ(Parked().exit_code, 123);
  CreateRun request = Request();
  request.workspace = state();
  EXPECT_FALSE(plane().Run(std::move(request), sink_, control_));
  CreateRun input = Request();
  input.inputs = {{state() + "/writ.db", "db"}};
  EXPECT_FALSE(plane().Run(std::move(input), sink_, control_));
  EXPECT_EQ(NewPlane()->Pending()->size(), 1u);
}

}  // namespace
}  // namespace writ::api

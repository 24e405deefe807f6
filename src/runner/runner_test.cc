#include "runner/runner.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "runner/identity.h"
#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

using canon::Json;
using isolation::Stream;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fake = isolation::fake;

Json Shell(std::string script) { return Json::Of({{"kind", "shell"}, {"script", std::move(script)}}); }

TEST_F(RunnerTest, EnrolsOnceAndReusesItsIdentity) {
  int enrolments = 0;
  plane_->before = [&](const std::string&, const std::string& path, const std::string&) -> std::optional<ScriptedReply> {
    enrolments += path == "/v1/runners/enroll";
    return std::nullopt;
  };
  for (int i = 0; i < 2; ++i) {
    auto runner = Make();
    ASSERT_TRUE(runner->EnsureEnrolled());
  }
  EXPECT_EQ(enrolments, 1);
  for (const char* file : {"/identity.json", "/runner.pub.pem", "/runner.key.pem"}) {
    struct stat status{};
    ASSERT_EQ(::stat((temporary_.path() + "/state" + file).c_str(), &status), 0) << file;
    EXPECT_EQ(status.st_mode & 07777, 0600u) << file;
  }
  Options other = MakeOptions();
  other.pool = "gpu";
  EXPECT_THAT(Make(std::move(other))->EnsureEnrolled().error().what, HasSubstr("belongs to one pool for ever"));
}

TEST_F(RunnerTest, WithoutATokenThereIsNoEnrolment) {
  Options options = MakeOptions();
  options.enroll_token = "";
  const auto enrolled = Make(std::move(options))->EnsureEnrolled();
  ASSERT_FALSE(enrolled);
  EXPECT_THAT(enrolled.error().what, HasSubstr("runner is not enrolled and no enroll token was provided"));
}

TEST_F(RunnerTest, EnrolmentIsRepeatedOnlyWhenNobodyAnswers) {
  int calls = 0;
  plane_->before = [&](const std::string&, const std::string&, const std::string&) -> std::optional<ScriptedReply> {
    return ++calls < 4 ? std::optional(ScriptedReply{.status = 200, .body = "", .drop = true}) : std::nullopt;
  };
  EXPECT_TRUE(Make()->EnsureEnrolled());
  EXPECT_EQ(calls, 4);
}

TEST_F(RunnerTest, ARefusedTokenIsNotTriedAgain) {
  int calls = 0;
  plane_->before = [&](const std::string&, const std::string&, const std::string&) -> std::optional<ScriptedReply> {
    ++calls;
    return std::nullopt;
  };
  Options options = MakeOptions();
  options.enroll_token = "wrong";
  const auto enrolled = Make(std::move(options))->EnsureEnrolled();
  ASSERT_FALSE(enrolled);
  EXPECT_THAT(enrolled.error().what, HasSubstr("invalid enroll token"));
  EXPECT_EQ(calls, 1);
}

TEST_F(RunnerTest, OneRunGoesFromClaimToVerifiedReceipt) {
  script_.steps = {fake::Print{Stream::kStdout, "hi\n"}};
  const std::string id = plane_->AddRun({.execution = Shell("echo hi")});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  EXPECT_EQ(plane_->Get(id).status, "completed");
  EXPECT_EQ(LogOf(id), "hi\n");
  EXPECT_THAT(seen_argv_, ElementsAre("sh", "-c", "echo hi"));
  const Json receipt = plane_->Get(id).receipt;
  EXPECT_TRUE(receipt.Find("writ")->Find("contract")->Find("verified")->boolean());
  EXPECT_EQ(*receipt.Find("writ")->Find("contract")->FindString("keyId"), plane_->key().key_id());
  EXPECT_EQ(RunOnce(), "(none)");
}

TEST_F(RunnerTest, APlaneThatSaysNoKeyIsObeyedAndTheReceiptTellsThatNothingWasVerified) {
  plane_ = std::make_unique<ScriptedPlane>(false);
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  EXPECT_FALSE(plane_->Get(id).receipt.Find("writ")->Find("contract")->Find("verified")->boolean());
}

TEST_F(RunnerTest, APinnedKeyVerifiesAnOriginalPlane) {
  plane_ = std::make_unique<ScriptedPlane>(false);
  const std::string id = plane_->AddRun({});
  Options options = MakeOptions();
  options.plane_key = plane_->key().public_key().Pem();
  auto runner = Make(std::move(options));
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_TRUE(plane_->Get(id).receipt.Find("writ")->Find("contract")->Find("verified")->boolean());
}

TEST_F(RunnerTest, APinThatIsNotThePlanesKeyStopsEverything) {
  const auto other = crypto::PrivateKey::Generate();
  for (const std::string& pin : {other.public_key().Pem(), other.key_id()}) {
    Options options = MakeOptions();
    options.plane_key = pin;
    const auto enrolled = Make(std::move(options))->EnsureEnrolled();
    ASSERT_FALSE(enrolled);
    EXPECT_EQ(enrolled.error().code, Code::kDenied);
  }
  plane_->tell_key = false;
  Options options = MakeOptions();
  options.plane_key = plane_->key().key_id();
  EXPECT_THAT(Make(std::move(options))->EnsureEnrolled().error().what, HasSubstr("give the PEM file"));
}

TEST_F(RunnerTest, WhatCannotRunHereEndsWithAReceiptThatSaysWhy) {
  const std::string tier = plane_->AddRun({.isolation = "hermetic"});
  const std::string pi = plane_->AddRun(
      {.execution = Json::Of({{"kind", "agent"}, {"agent", Json::Of({{"kind", "pi"}})}, {"prompt", "x"}}), .agent = "pi"});
  auto runner = Make();
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(FailureOf(tier), (Failure{"capability_mismatch", "runner has no backend for isolation \"hermetic\""}));
  EXPECT_EQ(FailureOf(pi), (Failure{"capability_mismatch", "backend \"process\" cannot run agent execution for agent \"pi\""}));
  for (const auto& id : {tier, pi}) EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST_F(RunnerTest, TwoBackendsOfOneTierRunNothing) {
  const std::string id = plane_->AddRun({});
  Options options = MakeOptions();
  options.backends.push_back({std::make_unique<fake::FakeBackend>(temporary_.path() + "/guests", fake::Script{})});
  auto runner = Make(std::move(options));
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(FailureOf(id), (Failure{"capability_mismatch",
                                    "runner has 2 backends for isolation \"process\"; register exactly one per tier"}));
}

TEST_F(RunnerTest, AnInjectedBackendMayRunWhatBuiltInTiersRefuse) {
  const std::string id = plane_->AddRun(
      {.execution = Json::Of({{"kind", "agent"}, {"agent", Json::Of({{"kind", "pi"}})}, {"prompt", "x"}}), .agent = "pi"});
  Options options = MakeOptions();
  options.backends.front().can_run = [](const contract::ExecutionSpec&) { return true; };
  auto runner = Make(std::move(options));
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(plane_->Get(id).status, "completed");
  EXPECT_THAT(seen_argv_, ElementsAre("pi", "--harness-only"));
}

TEST_F(RunnerTest, ABackendThatRefusesIsAMismatchToo) {
  script_.accepts_error = Error{Code::kUnavailable, "this host cannot"};
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(FailureOf(id), (Failure{"capability_mismatch", "this host cannot"}));
}

TEST_F(RunnerTest, ABlobThatIsNotWhatTheContractSaysIsATransferFailure) {
  contract::WorkspaceManifest files = contract::EmptyManifest();
  const std::string hash = plane_->PutBlob("data");
  files.untracked_files.push_back({"a.txt", hash, 4});
  plane_->SpoilBlob(hash, "evil");
  const std::string spoiled = plane_->AddRun({.workspace = files});
  files.untracked_files[0].hash = std::string(64, 'b');
  const std::string missing = plane_->AddRun({.workspace = files});
  auto runner = Make();
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(FailureOf(spoiled).failure, "transfer_failed");
  EXPECT_THAT(FailureOf(spoiled).message, HasSubstr("has other content"));
  EXPECT_EQ(FailureOf(missing).failure, "transfer_failed");
  EXPECT_THAT(FailureOf(missing).message, HasSubstr("blob not found"));
  for (const auto& id : {spoiled, missing}) EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST_F(RunnerTest, FilesWithoutACommitBecomeTheWorkspaceAndChangesComeBack) {
  contract::WorkspaceManifest files = contract::EmptyManifest();
  files.untracked_files.push_back({"dir/a.txt", plane_->PutBlob("one\n"), 4});
  script_.steps = {fake::WriteFile{isolation::Place::kWorkspace, "dir/a.txt", "two\n"}};
  const std::string id = plane_->AddRun({.workspace = files});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  const std::string diff = *plane_->Get(id).receipt.Find("workspaceOut")->FindString("diffHash");
  EXPECT_THAT(plane_->Blob(diff), HasSubstr("-one\n+two\n"));
}

TEST_F(RunnerTest, Attack28_FilesWithoutACommitStayInsideTheWorkspace) {
  auto runner = Make();
  for (const char* path : {"%:%2E%2E/escaped", "%:%2Ftmp%2Fwrit-escaped", "%:a/%2E%2E/%2E%2E/escaped"}) {
    SCOPED_TRACE(path);
    contract::WorkspaceManifest files = contract::EmptyManifest();
    files.untracked_files.push_back({path, plane_->PutBlob("evil"), 4});
    const std::string id = plane_->AddRun({.workspace = files});
    EXPECT_EQ(RunOnce(*runner), "");
    EXPECT_EQ(FailureOf(id).failure, "transfer_failed");
    EXPECT_NE(::access("/tmp/writ-escaped", F_OK), 0);
  }
}

TEST_F(RunnerTest, TheEnvironmentOfTheOriginalProtocolIsExactlyThat) {
  env_ = {{"PATH", "/own/bin:/usr/bin"}, {"HOME", "/home/operator"}, {"LANG", "de"}, {"AWS_KEY", "k"}, {"WARRANT_ENROLL_TOKEN", "t"}};
  const std::string id = plane_->AddRun(
      {.execution = *canon::Parse(R"({"kind":"shell","script":"x","env":{"inherit":["LANG","AWS_KEY","WARRANT_ENROLL_TOKEN"],
           "vars":{"A":"b"},"secrets":[{"env":"MAPPED","secretName":"TOK"}]}})", canon::Mode::kStrict),
       .secrets = {{"TOK", "s3cr3t-value"}}});
  script_.steps = {fake::Print{Stream::kStdout, "s3cr3t-value\n"}};
  EXPECT_EQ(RunOnce(), "");
  const std::string proxy = "http://127.0.0.1:3128";
  EXPECT_THAT(seen_env_, ElementsAre("PATH=/own/bin:/usr/bin", "HOME=/tmp/home", "HTTP_PROXY=" + proxy, "HTTPS_PROXY=" + proxy,
                                     "http_proxy=" + proxy, "https_proxy=" + proxy, "TOK=s3cr3t-value", "LANG=de", "A=b",
                                     "MAPPED=s3cr3t-value"));
  EXPECT_EQ(LogOf(id), "[REDACTED:TOK]\n");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST_F(RunnerTest, BudgetsThatRunOutSaySo) {
  contract::Budget budget;
  budget.duration_min_max = 0.001;  // 60 ms
  script_.steps = {fake::Sleep{Millis{20'000}}};
  const std::string budgeted = plane_->AddRun({.budget = budget});
  Json timed = Shell("x");
  timed.Set("timeoutMs", 30);
  const std::string limited = plane_->AddRun({.execution = timed});
  auto runner = Make();
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(RunOnce(*runner), "");
  EXPECT_EQ(FailureOf(budgeted).failure, "budget_exceeded");
  EXPECT_EQ(FailureOf(limited), (Failure{"session_failed", "agent exited with code 1"}));
}

TEST_F(RunnerTest, StopDrainsWhatWasClaimed) {
  std::atomic<bool> in_guest = false, may_end = false;
  script_.steps = {fake::Call{[&] {
    in_guest = true;
    while (!may_end) std::this_thread::sleep_for(Millis{1});
  }}};
  const std::string first = plane_->AddRun({});
  auto runner = Make();
  ASSERT_TRUE(runner->Start());
  ASSERT_TRUE(plane_->AwaitStatus(first, "running"));
  while (!in_guest) std::this_thread::sleep_for(Millis{1});
  std::jthread stopper([&] { runner->Stop(); });
  const std::string second = plane_->AddRun({});
  may_end = true;
  stopper.join();
  EXPECT_EQ(plane_->Get(first).status, "completed");
  EXPECT_EQ(plane_->Problems(first), std::vector<std::string>());
  EXPECT_NE(plane_->Get(second).status, "claimed") << "claimed and left";
}

TEST_F(RunnerTest, SeveralRunAtATime) {
  std::mutex mutex;
  std::condition_variable both;
  int inside = 0;
  bool met = false;
  script_.steps = {fake::Call{[&] {
    std::unique_lock hold(mutex);
    ++inside;
    both.notify_all();
    met = both.wait_for(hold, Millis{20'000}, [&] { return inside >= 2; }) || met;
  }}};
  const std::string first = plane_->AddRun({}), second = plane_->AddRun({});
  Options options = MakeOptions();
  options.concurrency = 2;
  auto runner = Make(std::move(options));
  ASSERT_TRUE(runner->Start());
  ASSERT_TRUE(plane_->AwaitEnd(first));
  ASSERT_TRUE(plane_->AwaitEnd(second));
  runner->Stop();
  EXPECT_TRUE(met);
}

TEST_F(RunnerTest, OneRunnerPerDirectory) {
  auto first = Make();
  const auto second = Runner::Create(MakeOptions());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("another runner works in"));
}

}  // namespace
}  // namespace writ::runner

#include <gmock/gmock.h>

#include "base/escape.h"
#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

using canon::Json;
using testing::HasSubstr;
namespace fake = isolation::fake;

/// A plane that is not what a runner may believe. Whatever it asks, nothing may start, and nothing may be signed over a
/// contract that is not genuine.
class HostilePlane : public RunnerTest {
 protected:
  /// Changes the claim's answer.
  void Change(std::function<void(Json&)> change) {
    plane_->after = [change = std::move(change)](const std::string& path, ScriptedReply& reply) {
      if (path != "/v1/claims") return;
      auto json = *canon::Parse(reply.body, canon::Mode::kWire);
      if (json.Find("runId") == nullptr) return;
      change(json);
      reply.body = canon::Compact(json);
    };
  }
  /// One claim, which must be refused with this text.
  void ExpectRefused(const std::string& id, std::string_view text) {
    auto runner = Make();
    EXPECT_THAT(RunOnce(*runner), HasSubstr(std::string(text)));
    EXPECT_TRUE(seen_argv_.empty()) << "it was started";
    EXPECT_TRUE(plane_->Get(id).receipt.is_null());
    EXPECT_EQ(plane_->Get(id).event_posts, 0);
  }
};

TEST_F(HostilePlane, AForgedSignatureIsRefused) {
  const std::string id = plane_->AddRun({});
  const auto other = crypto::PrivateKey::Generate();
  Change([&](Json& claim) {
    Json contract = *claim.Find("contract");
    contract.Set("signatures", Json::MakeArray());
    ASSERT_TRUE(contract::AppendSignature(contract, contract::kSignerPlane, other));
    claim.Set("contract", std::move(contract));
  });
  ExpectRefused(id, "contract plane signature invalid");
}

TEST_F(HostilePlane, AContractThatWasChangedAfterSigningIsRefused) {
  const std::string id = plane_->AddRun({});
  Change([](Json& claim) {
    Json contract = *claim.Find("contract");
    contract.Set("execution", Json::Of({{"kind", "shell"}, {"script", "steal"}}));
    claim.Set("contract", std::move(contract));
  });
  ExpectRefused(id, "contract plane signature invalid");
}

TEST_F(HostilePlane, MoreSecretsThanTheContractNamesAreRefused) {
  const std::string id = plane_->AddRun({.secrets = {{"TOK", "value"}}});
  Change([](Json& claim) {
    Json secrets = *claim.Find("secrets");
    secrets.Append(Json::Of({{"name", "LD_PRELOAD"}, {"value", "/work/evil.so"}}));
    claim.Set("secrets", std::move(secrets));
  });
  ExpectRefused(id, "secret LD_PRELOAD is not in the contract");
}

TEST_F(HostilePlane, FewerSecretsThanTheContractNamesAreRefused) {
  const std::string id = plane_->AddRun({.secrets = {{"TOK", "value"}}});
  Change([](Json& claim) { claim.Set("secrets", Json::MakeArray()); });
  ExpectRefused(id, "not every secret of the contract came with it");
}

TEST_F(HostilePlane, AnotherPoolsContractIsRefused) {
  const std::string id = plane_->AddRun({.pool = "gpu"});
  ExpectRefused(id, "the contract is for pool gpu");
}

TEST_F(HostilePlane, AnotherRunsContractIsRefused) {
  const std::string id = plane_->AddRun({});
  Change([](Json& claim) { claim.Set("runId", "run_other"); });
  ExpectRefused(id, "the contract is of another run");
}

TEST_F(HostilePlane, AChainThatIsNotThisContractsIsRefused) {
  const std::string id = plane_->AddRun({});
  Change([](Json& claim) {
    Json events = *claim.Find("events");
    events.array()[0].Set("prev", std::string(64, '0'));
    claim.Set("events", std::move(events));
  });
  ExpectRefused(id, "event chain broken at seq 0: prev hash mismatch");
}

TEST_F(HostilePlane, EventsThatOnlyARunnerMayWriteAreRefused) {
  const std::string id = plane_->AddRun({});
  Change([](Json& claim) {
    Json events = *claim.Find("events");
    auto chain = contract::EventChain::Resume(events.array().size(), *events.array().back().FindString("hash"));
    events.Append(*chain.Append(SystemClock().Now(), contract::event::WorkspaceMaterialized(std::string(64, 'a'))));
    claim.Set("events", std::move(events));
  });
  ExpectRefused(id, "workspace.materialized follows the claim, which only this runner may write");
}

TEST_F(HostilePlane, AClaimForAnotherRunnerIsRefused) {
  const std::string id = plane_->AddRun({});
  Change([](Json& claim) {
    Json events = *claim.Find("events");
    events.array().pop_back();
    auto chain = contract::EventChain::Resume(events.array().size(), *events.array().back().FindString("hash"));
    events.Append(*chain.Append(SystemClock().Now(), contract::event::RunClaimed("rnr_2", "ed25519:0000000000000000")));
    claim.Set("events", std::move(events));
  });
  ExpectRefused(id, "its chain does not say that this runner claimed it");
}

TEST_F(HostilePlane, AnExpiredContractRunsNothingAndEndsWithAReceipt) {
  const std::string id = plane_->AddRun({.life = Millis{-1000}});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_TRUE(seen_argv_.empty());
  EXPECT_EQ(FailureOf(id).failure, "session_failed");
  EXPECT_THAT(FailureOf(id).message, HasSubstr("contract expired at"));
}

TEST_F(HostilePlane, AReplayedClaimIsRefused) {
  const std::string id = plane_->AddRun({});
  std::string first;
  plane_->after = [&](const std::string& path, ScriptedReply& reply) {
    if (path != "/v1/claims" || reply.body.find("runId") == reply.body.npos) return;
    if (first.empty()) first = reply.body;
    reply.body = first;
  };
  auto runner = Make();
  EXPECT_EQ(RunOnce(*runner), "");
  seen_argv_.clear();
  plane_->OfferAgain(id);
  EXPECT_THAT(RunOnce(*runner), HasSubstr("the claim is a replay"));
  EXPECT_TRUE(seen_argv_.empty());
  runner.reset();
  plane_->OfferAgain(id);  // a runner that was started anew remembers too
  EXPECT_THAT(RunOnce(), HasSubstr("the claim is a replay"));
}

TEST_F(HostilePlane, AnswersThatAreNoClaimsAreErrors) {
  for (const char* answer : {"[]", "{}", "{\"runId\":1}", "{\"runId\":\"../x\",\"claimToken\":\"t\",\"contract\":{},\"events\":[],\"secrets\":[]}",
                             "nonsense", "{\"runId\":\"r\",\"claimToken\":\"t\",\"contract\":[],\"events\":[],\"secrets\":[]}"}) {
    plane_->before = [&](const std::string&, const std::string& path, const std::string&) -> std::optional<ScriptedReply> {
      return path == "/v1/claims" ? std::optional(ScriptedReply{200, answer}) : std::nullopt;
    };
    const std::string said = RunOnce();
    EXPECT_NE(said, "") << answer;
    EXPECT_NE(said, "(none)") << answer;
  }
}

TEST_F(HostilePlane, Attack14_WhatItSaysDoesNotReachTheOperatorsTerminalAsItIs) {
  plane_->after = [](const std::string& path, ScriptedReply& reply) {
    if (path != "/v1/runners/enroll") return;
    auto json = *canon::Parse(reply.body, canon::Mode::kWire);
    json.Set("runnerId", "rnr_\x1b]0;title\x07\x1b[2J");
    reply.body = canon::Compact(json);
  };
  Options options = MakeOptions();
  options.say = nullptr;  // as `writ runner` has it
  testing::internal::CaptureStderr();
  {
    auto runner = Make(std::move(options));
    EXPECT_TRUE(runner->Start());
    runner->Stop();
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("waits for runs"));
  EXPECT_EQ(said.find_first_of("\x1b\x07"), said.npos) << EscapeVisible(said);
}

TEST_F(HostilePlane, RefusedEventsStopTheRun) {
  plane_->before = [&](const std::string&, const std::string& path, const std::string&) -> std::optional<ScriptedReply> {
    return path.ends_with("/events") || path.ends_with("/complete") ? std::optional(ScriptedReply{400, R"({"error":"event chain rejected at seq 3: sequence gap"})"}) : std::nullopt;
  };
  script_.steps = {fake::Sleep{Millis{60'000}}};
  const std::string id = plane_->AddRun({});
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(RunOnce(), HasSubstr("event chain rejected"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, Millis{30'000}) << "the guest was left running";
  EXPECT_TRUE(plane_->Get(id).receipt.is_null());
}

TEST_F(HostilePlane, AReceiptThatIsNotCountersignedByThePlanesKeyIsNoted) {
  const auto other = crypto::PrivateKey::Generate();
  plane_->after = [&](const std::string& path, ScriptedReply& reply) {
    if (!path.ends_with("/complete")) return;
    auto json = *canon::Parse(reply.body, canon::Mode::kWire);
    Json receipt = *json.Find("receipt");
    receipt.Set("signatures", Json::MakeArray());
    ASSERT_TRUE(contract::AppendSignature(receipt, contract::kSignerPlane, other));
    json.Set("receipt", std::move(receipt));
    reply.body = canon::Compact(json);
  };
  plane_->AddRun({});
  EXPECT_THAT(RunOnce(), HasSubstr("the plane's signature of the receipt is not by the plane's key"));
}

}  // namespace
}  // namespace writ::runner

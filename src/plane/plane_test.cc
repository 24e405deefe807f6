#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "contract/event.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "crypto/digest.h"
#include "plane/countersign.h"
#include "plane/issue_contract.h"
#include "session/receipt_builder.h"
#include "storage/memory/memory_store.h"

namespace writ::plane {
namespace {

using canon::Json;
using testing::HasSubstr;

constexpr std::string_view kRun = "run_00000000-0000-4000-8000-000000000001";

class PlaneTest : public testing::Test {
 protected:
  static contract::Contract Draft() {
    contract::Contract draft;
    draft.run_id = kRun;
    draft.requested_by = {"human", "ada"};
    draft.prompt = "job";
    draft.pool = "local";
    draft.workspace = *canon::Parse(
        R"({"version":"warrant.manifest.v1","baseRef":"none","bundleHash":"","untrackedFiles":[],"deniedPatterns":[],"deniedPaths":[]})",
        canon::Mode::kStrict);
    draft.policy_hash = std::string(64, 'a');
    draft.execution = Json::Of({{"kind", "argv"}, {"command", "job"}, {"args", Json::MakeArray()}});
    draft.writ = Json::Of({{"v", 1}, {"tier", "process"}});
    return draft;
  }
  static policy::Decision Allow() {
    policy::Decision decision;
    decision.verdict = policy::Verdict::kAllow;
    decision.reason = "policy allows this run";
    return decision;
  }
  Result<IssuedRun> Issue(const policy::Decision& decision) {
    return IssueContract({*store_, clock_, plane_, plane_pem_, genesis_, "rnr_1", runner_.key_id(), host_, {}}, Draft(),
                         decision, "{}");
  }
  /// A claimed run that went through its events, and the receipt the runner signed.
  Json SignedReceipt(IssuedRun& run, const std::function<void(Json&)>& change = {}) {
    EXPECT_TRUE(run.log.Append(contract::event::RunCompleted()));
    Json receipt = *session::BuildReceipt(run.contract.json, run.contract.hash, run.log.facts(),
                                          session::RunState::kCompleted);
    if (change) change(receipt);
    EXPECT_TRUE(contract::AppendSignature(receipt, contract::kSignerRunner, runner_));
    return receipt;
  }

  FakeClock clock_{*ParseTimestamp("2026-03-01T12:00:00.000Z")};
  std::unique_ptr<storage::Store> store_ = storage::MakeMemoryStore();
  const crypto::PrivateKey plane_ = crypto::PrivateKey::Generate(), runner_ = crypto::PrivateKey::Generate();
  const std::string plane_pem_ = plane_.public_key().Pem(), runner_pem_ = runner_.public_key().Pem();
  const std::string genesis_ = crypto::Sha256Hex(plane_pem_);
  const Json host_ = session::HostFacts("");
};

TEST_F(PlaneTest, IssuesOneDurableBeginning) {
  const auto run = Issue(Allow());
  ASSERT_TRUE(run) << run.error().what;
  EXPECT_EQ(*run->contract.json.FindString("expiresAt"), "2026-03-01T13:00:00.000Z");
  EXPECT_EQ(run->log.facts().chain.count(), 3u);
  EXPECT_EQ(store_->GetRun(kRun)->event_count, 3u);
  EXPECT_EQ(store_->GetDecisionHead(genesis_)->count, 1u);
  EXPECT_EQ(*run->contract.json.Find("writ")->FindString("decision"), store_->GetDecisionHead(genesis_)->hash);
  EXPECT_TRUE(storage::VerifyDecisions(*store_, genesis_));
}

TEST_F(PlaneTest, NoContractWithoutAnAllowingDecision) {
  for (const auto verdict : {policy::Verdict::kDeny, policy::Verdict::kNeedsApproval}) {
    policy::Decision decision;
    decision.verdict = verdict;
    const auto run = Issue(decision);
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().code, Code::kDenied);
  }
  EXPECT_FALSE(store_->GetRun(kRun));
}

TEST_F(PlaneTest, ClaimsCheckSignatureAndExpiry) {
  const auto run = Issue(Allow());
  ASSERT_TRUE(run);
  EXPECT_TRUE(CheckClaim(run->contract.json, plane_pem_, clock_.Now()));
  EXPECT_FALSE(CheckClaim(run->contract.json, runner_pem_, clock_.Now()));
  const auto late = CheckClaim(run->contract.json, plane_pem_, clock_.Now() + std::chrono::minutes{61});
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().what, HasSubstr("expired"));
  Json changed = run->contract.json;
  changed.Set("policyHash", std::string(64, 'b'));
  EXPECT_FALSE(CheckClaim(changed, plane_pem_, clock_.Now()));
}

TEST_F(PlaneTest, CountersignsWhatTheChainSays) {
  auto run = Issue(Allow());
  ASSERT_TRUE(run);
  Json receipt = SignedReceipt(*run);
  const auto signed_twice =
      Countersign(receipt, run->contract.json, run->contract.hash, run->log.facts(), runner_pem_, plane_);
  ASSERT_TRUE(signed_twice) << signed_twice.error().what;
  EXPECT_TRUE(contract::IsSignedBy(receipt, contract::kSignerPlane, plane_pem_));
}

TEST_F(PlaneTest, Attack37_AForgedReceiptIsNotCountersigned) {
  struct Case {
    const char* says;
    std::function<void(Json&)> change;
  };
  const auto inner = [](const char* outer, const char* name, const char* value) {
    return [=](Json& receipt) {
      Json object = *receipt.Find(outer);
      object.Set(name, value);
      receipt.Set(outer, std::move(object));
    };
  };
  const Case cases[] = {
      {"receipt.runId", [](Json& r) { r.Set("runId", "run_other"); }},
      {"receipt.contractHash", [](Json& r) { r.Set("contractHash", std::string(64, '0')); }},
      {"runner key id", inner("runner", "keyId", "ed25519:0000000000000000")},
      {"runner pool", inner("runner", "pool", "other")},
      {"eventsHead", [](Json& r) { r.Set("eventsHead", std::string(64, '0')); }},
      {"eventCount", [](Json& r) { r.Set("eventCount", 3); }},
      {"terminal event", [](Json& r) { r.Set("status", "failed"); }},
      {"baseRef", inner("workspaceIn", "baseRef", "other")},
      {"manifestHash", inner("workspaceIn", "manifestHash", "other")},
      {"secretsReleased", [](Json& r) { r.Set("secretsReleased", Json(Json::Array{Json::Of({{"name", "X"}})})); }},
      {"diffHash", inner("workspaceOut", "diffHash", "ab")},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    store_ = storage::MakeMemoryStore();
    auto run = Issue(Allow());
    ASSERT_TRUE(run);
    Json receipt = SignedReceipt(*run, c.change);
    const auto result =
        Countersign(receipt, run->contract.json, run->contract.hash, run->log.facts(), runner_pem_, plane_);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().what, HasSubstr(c.says));
    EXPECT_FALSE(contract::IsSignedBy(receipt, contract::kSignerPlane, plane_pem_));
  }
  store_ = storage::MakeMemoryStore();
  auto run = Issue(Allow());
  Json receipt = SignedReceipt(*run);
  receipt.Set("endedAt", "2030-01-01T00:00:00.000Z");  // after the runner signed
  EXPECT_THAT(
      Countersign(receipt, run->contract.json, run->contract.hash, run->log.facts(), runner_pem_, plane_).error().what,
      HasSubstr("runner signature invalid"));
}

}  // namespace
}  // namespace writ::plane

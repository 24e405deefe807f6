#include "contract/story.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "contract/event.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/receipt.h"
#include "contract/signing.h"
#include "contract/test_keys.h"

namespace writ::contract {
namespace {

using canon::Json;

class EventSummaryVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(EventSummaryVectors, ToneLabelDetail) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& expect = *GetParam().value.Find("summary");
  const EventSummary summary = Summarise(*GetParam().value.Find("event"));
  EXPECT_EQ(summary.tone, *expect.FindString("tone"));
  EXPECT_EQ(summary.label, *expect.FindString("label"));
  EXPECT_EQ(summary.detail, *expect.FindString("detail"));
}
INSTANTIATE_TEST_SUITE_P(All, EventSummaryVectors, testing::ValuesIn(test::VectorCases("receipt.json", "eventSummaries")), test::VectorCaseName);

TEST(ReceiptVectors, StoryCanonicalTextAndSignatures) {
  const Json file = test::VectorFile("receipt.json");
  ASSERT_TRUE(file.is_object());
  const Json bundle = test::VectorFile("bundle-valid.json");
  const Json& countersigned = *file.Find("countersigned");
  EXPECT_TRUE(ReceiptStory(*bundle.Find("contract"), countersigned) == *file.Find("story"));
  EXPECT_EQ(canon::CanonicalWithout(countersigned, "signatures").value(), *file.FindString("unsignedCanonical"));
  EXPECT_EQ(HashUnsigned(countersigned).value(), *file.FindString("signedString"));

  Json receipt = countersigned;
  receipt.Remove("signatures");
  ASSERT_TRUE(AppendSignature(receipt, kSignerRunner, test::RunnerKey()));
  EXPECT_TRUE(receipt == *file.Find("runnerSigned"));
  ASSERT_TRUE(AppendSignature(receipt, kSignerPlane, test::PlaneKey()));
  EXPECT_TRUE(receipt == countersigned);
}

TEST(ReceiptStory, NamesTheIdentityThatThePolicyJudged) {
  Json contract = Json::Of({{"requestedBy", Json::Of({{"kind", "human"}, {"id", "alice"}})}});
  EXPECT_EQ(ReceiptStory(contract, Json::MakeObject()).Find("identity"), nullptr);
  contract.Set("writ", Json::Of({{"v", 1}, {"identity", "nightly"}}));
  EXPECT_EQ(*ReceiptStory(contract, Json::MakeObject()).FindString("identity"), "nightly");
}

TEST(ReceiptVectors, MadeFromItsChainItIsTheRecordedOne) {
  const Json bundle = test::VectorFile("bundle-valid.json");
  ASSERT_TRUE(bundle.is_object());
  ReceiptFacts facts;
  for (const Json& entry : bundle.Find("events")->array()) facts.Add(entry);
  ReceiptDraft draft = DraftFor(*bundle.Find("contract")).value();
  draft.runner_id = "rnr_1";
  draft.runner_key_id = test::RunnerKey().key_id();
  draft.status = "completed";
  draft.diff_hash = std::string(64, 'd');
  draft.artifact_hashes = {std::string(64, 'd'), std::string(64, 'c')};
  Json receipt = MakeReceipt(draft, facts);
  ASSERT_TRUE(AppendSignature(receipt, kSignerRunner, test::RunnerKey()));
  ASSERT_TRUE(AppendSignature(receipt, kSignerPlane, test::PlaneKey()));
  EXPECT_TRUE(receipt == *bundle.Find("receipt")) << canon::Pretty(receipt);
  EXPECT_FALSE(DraftFor(Json::MakeObject()));
}

TEST(ReceiptFacts, NetworkIsGroupedByHostInFirstSeenOrder) {
  ReceiptFacts facts;
  for (const auto& [host, allowed] : {std::pair{"b", true}, {"a", false}, {"b", false}, {"b", true}}) {
    facts.Add(Json::Of({{"ts", "t"}, {"hash", "h"}, {"event", event::NetworkConnected(host, allowed)}}));
  }
  ASSERT_EQ(facts.network().size(), 2u);
  EXPECT_EQ(facts.network()[0].host, "b");
  EXPECT_EQ(facts.network()[0].decisions, (std::vector<std::string>{"allowed", "blocked"}));
  EXPECT_EQ(facts.count(), 4u);
}

TEST(Story, SurvivesAnything) {
  for (const char* text : {"null", "1", "[]", "{}", R"({"runner":1,"secretsReleased":[1,null],"networkAccessed":{},"eventCount":"x"})"}) {
    const Json json = canon::Parse(text, canon::Mode::kWire).value();
    EXPECT_TRUE(ReceiptStory(json, json).is_object());
    EXPECT_EQ(Summarise(json).tone, "info");
  }
  EXPECT_EQ(Summarise(event::Extension("writ.output.missing", Json::Of({{"name", "x"}}))), (EventSummary{"warn", "writ.output.missing", "name=x"}));
}

}  // namespace
}  // namespace writ::contract

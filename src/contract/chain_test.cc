#include "contract/chain.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "contract/event.h"
#include "crypto/digest.h"

namespace writ::contract {
namespace {

using canon::Json;

class ChainVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(ChainVectors, Verify) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& c = GetParam().value;
  const auto broken = VerifyChain(*c.FindString("genesisPrev"), *c.Find("events")).value();
  const Json& expect = *c.Find("expect");
  ASSERT_EQ(!broken.has_value(), expect.Find("ok")->boolean());
  if (!broken) return;
  EXPECT_EQ(static_cast<double>(broken->seq), expect.Find("brokenAtSeq")->number());
  EXPECT_EQ(broken->reason, *expect.FindString("reason"));
}
INSTANTIATE_TEST_SUITE_P(All, ChainVectors, testing::ValuesIn(test::VectorCases("events.json", "chainCases")), test::VectorCaseName);

class EventHashVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(EventHashVectors, CanonicalTextAndHash) {
  ASSERT_EQ(GetParam().problem, "");
  const std::string& text = *GetParam().value.FindString("canonical");
  const Json entry = canon::Parse(text, canon::Mode::kStrict).value();
  EXPECT_EQ(canon::Canonical(entry).value(), text);
  EXPECT_EQ(HashEntry(entry).value(), *GetParam().value.FindString("hash"));
}
INSTANTIATE_TEST_SUITE_P(All, EventHashVectors, testing::ValuesIn(test::VectorCases("events.json", "hashInputs")), test::VectorCaseName);

const Json& EveryEventType() {
  static const Json file = test::VectorFile("events.json");
  return *file.Find("chainCases")->array()[1].Find("events");
}

TEST(Chain, AppendingGivesTheRecordedEntries) {
  const Json& recorded = EveryEventType();
  EventChain chain(*recorded.array()[0].FindString("prev"));
  for (const Json& entry : recorded.array()) {
    const Json made = chain.Append(ParseTimestamp(*entry.FindString("ts")).value(), *entry.Find("event")).value();
    EXPECT_TRUE(made == entry);
    EXPECT_EQ(chain.head(), *entry.FindString("hash"));
  }
  EXPECT_EQ(chain.count(), recorded.array().size());
}

TEST(Chain, GoesOnFromAKnownHead) {
  const Json& recorded = EveryEventType();
  const std::size_t middle = recorded.array().size() / 2;
  EventChain chain = EventChain::Resume(middle, *recorded.array()[middle].FindString("prev"));
  for (std::size_t i = middle; i < recorded.array().size(); ++i) {
    EXPECT_EQ(chain.Accept(recorded.array()[i]).value(), std::nullopt);
  }
  EXPECT_EQ(chain.Accept(recorded.array().back()).value(), (ChainBreak{chain.count(), "sequence gap"}));
}

TEST(Chain, AnEventThatCannotBeHashedChangesNothing) {
  EventChain chain(std::string(64, '0'));
  EXPECT_FALSE(chain.Append(WallTime{}, Json::Of({{"n", 1e308 * 10}})));
  EXPECT_EQ(chain.count(), 0u);
  EXPECT_EQ(chain.head(), std::string(64, '0'));
}

TEST(Chain, MalformedEntriesAreErrorsOrBreaksNeverCrashes) {
  EXPECT_FALSE(VerifyChain("x", Json(1)));
  EXPECT_FALSE(VerifyChain("x", Json(Json::Array{Json(1)})));
  EXPECT_EQ(VerifyChain("x", Json(Json::Array{Json::MakeObject()})).value(), (ChainBreak{0, "sequence gap"}));
}

// Attack case 35: what can be done to a stored chain, and who notices. `head` and `count` are those the receipt signs.
class Attack35_Chain : public testing::Test {
 protected:
  static constexpr int kEntries = 6;
  void SetUp() override {
    EventChain chain(genesis_);
    for (int i = 0; i < kEntries; ++i) {
      entries_.push_back(chain.Append(WallTime(Millis(i)), event::NetworkConnected(fmt::format("host{}", i), i % 2 == 0)).value());
    }
    head_ = chain.head();
  }
  /// Whether chain and signed head together still hold.
  bool Holds(const Json::Array& entries) const {
    EventChain chain(genesis_);
    for (const Json& entry : entries) {
      const auto broken = chain.Accept(entry);
      if (!broken || broken->has_value()) return false;
    }
    return chain.head() == head_ && chain.count() == kEntries;
  }
  std::string genesis_ = std::string(64, 'a');
  Json::Array entries_;
  std::string head_;
};

TEST_F(Attack35_Chain, UntouchedHolds) { EXPECT_TRUE(Holds(entries_)); }

TEST_F(Attack35_Chain, EditedEntry) {
  for (int i = 0; i < kEntries; ++i) {
    for (const char* member : {"seq", "ts", "prev", "event", "hash"}) {
      Json::Array changed = entries_;
      changed[i].Set(member, "x");
      EXPECT_FALSE(Holds(changed)) << i << member;
    }
  }
}

TEST_F(Attack35_Chain, EditedEntryWithItsHashMadeAnew) {
  for (int i = 0; i < kEntries; ++i) {
    Json::Array changed = entries_;
    changed[i].Set("event", event::NetworkConnected("other", true));
    changed[i].Set("hash", HashEntry(changed[i]).value());
    EXPECT_FALSE(Holds(changed)) << i;
  }
}

TEST_F(Attack35_Chain, InsertedDeletedAndSwappedEntries) {
  for (int i = 0; i < kEntries; ++i) {
    Json::Array inserted = entries_, deleted = entries_;
    inserted.insert(inserted.begin() + i, entries_[i]);
    deleted.erase(deleted.begin() + i);
    EXPECT_FALSE(Holds(inserted)) << i;
    EXPECT_FALSE(Holds(deleted)) << i;
    for (int k = 0; k < i; ++k) {
      Json::Array swapped = entries_;
      std::swap(swapped[i], swapped[k]);
      EXPECT_FALSE(Holds(swapped)) << i << k;
    }
  }
}

TEST_F(Attack35_Chain, TailTruncationAndWholeDeletion) {
  for (int left = 0; left < kEntries; ++left) {
    const Json::Array cut(entries_.begin(), entries_.begin() + left);
    EXPECT_FALSE(VerifyChain(genesis_, Json(cut)).value()) << "the chain alone cannot tell";
    EXPECT_FALSE(Holds(cut)) << left;  // the signed head can
  }
}

TEST_F(Attack35_Chain, RebuiltChainWithEveryHashMadeAnew) {
  EventChain chain(genesis_);
  Json::Array rebuilt;
  for (int i = 0; i < kEntries; ++i) rebuilt.push_back(chain.Append(WallTime(Millis(i)), event::RunCreated()).value());
  EXPECT_FALSE(VerifyChain(genesis_, Json(rebuilt)).value());
  EXPECT_FALSE(Holds(rebuilt));
}

TEST_F(Attack35_Chain, TwoWritersForkAfterARestart) {
  EventChain first = EventChain::Resume(kEntries, head_), second = EventChain::Resume(kEntries, head_);
  const Json a = first.Append(WallTime(Millis(10)), event::RunCompleted()).value();
  const Json b = second.Append(WallTime(Millis(11)), event::RunFailed("session_failed", "x")).value();
  EventChain store = EventChain::Resume(kEntries, head_);
  EXPECT_FALSE(store.Accept(a).value());
  EXPECT_EQ(store.Accept(b).value(), (ChainBreak{kEntries + 1, "sequence gap"}));
}

TEST_F(Attack35_Chain, ChainOfAnotherContract) {
  EXPECT_EQ(VerifyChain(std::string(64, 'b'), Json(entries_)).value(), (ChainBreak{0, "prev hash mismatch"}));
}

TEST_F(Attack35_Chain, ClockThatGoesBackwardsIsInTheEvidence) {
  EventChain chain = EventChain::Resume(kEntries, head_);
  Json early = event::RunCompleted();
  event::StampMonotonic(early, 7000000);
  const Json entry = chain.Append(WallTime(Millis(-5000)), early).value();
  EXPECT_EQ(*entry.FindString("ts"), "1969-12-31T23:59:55.000Z");
  EXPECT_EQ(entry.Find("event")->Find("writ")->Find("monoUs")->number(), 7000000);
}

}  // namespace
}  // namespace writ::contract

#include "client/review.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "canon/vectors_for_test.h"

namespace writ::client {
namespace {

Scorecard Card(const char* id, const char* status, int code, std::uint64_t diff, const char* ended, bool verified = true) {
  Scorecard card;
  card.run_id = id;
  card.status = status;
  card.exit_code = code;
  card.diff_bytes = diff;
  card.ended_at = ended;
  card.verified = verified;
  return card;
}

TEST(Review, TheBestOfATable) {
  struct Case {
    const char* why;
    std::vector<Scorecard> cards;
    const char *smallest, *first, *passing;  // run ids, "" for none
  };
  const Case cases[] = {
      {"nothing", {}, "", "", ""},
      {"one that failed", {Card("a", "failed", 1, 5, "1")}, "a", "", "a"},
      {"tests decide before size",
       {Card("a", "failed", 1, 1, "1"), Card("b", "completed", 0, 9, "3"), Card("c", "completed", 0, 7, "2")}, "a", "c", "c"},
      {"a tie goes to the earlier end", {Card("b", "completed", 0, 4, "2"), Card("a", "completed", 0, 4, "3")}, "b", "b", "b"},
      {"then to the smaller id", {Card("b", "completed", 0, 4, "2"), Card("a", "completed", 0, 4, "2")}, "a", "a", "a"},
      {"what does not verify never wins", {Card("a", "completed", 0, 0, "0", false), Card("b", "completed", 0, 8, "1")}, "b", "b", "b"},
      {"nor what was cancelled", {Card("a", "cancelled", 0, 0, "0"), Card("b", "failed", 2, 8, "1")}, "b", "", "b"},
      {"an empty diff is the smallest", {Card("a", "completed", 0, 0, "2"), Card("b", "completed", 0, 8, "1")}, "a", "b", "a"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    for (const auto& [strategy, wanted] : {std::pair{Strategy::kSmallestDiff, c.smallest},
                                           std::pair{Strategy::kFirstCompleted, c.first},
                                           std::pair{Strategy::kTestsPassSmallestDiff, c.passing}}) {
      auto cards = c.cards;
      for (int order = 0; order < 2; ++order) {
        const auto best = Best(strategy, cards);
        EXPECT_EQ(best ? cards[*best].run_id : "", wanted);
        std::ranges::reverse(cards);
      }
    }
  }
}

TEST(Review, StrategiesHaveTheirNames) {
  EXPECT_EQ(ParseStrategy("smallest-diff"), Strategy::kSmallestDiff);
  EXPECT_EQ(ParseStrategy("first-completed"), Strategy::kFirstCompleted);
  EXPECT_EQ(ParseStrategy("tests-pass-smallest-diff"), Strategy::kTestsPassSmallestDiff);
  EXPECT_FALSE(ParseStrategy("best"));
}

TEST(Review, ACardOfARecordedBundle) {
  const canon::Json file = test::VectorFile("bundle-valid.json");
  const canon::Json* bundle = file.Find("bundle");
  const Scorecard card = CardOf(bundle ? *bundle : file);
  EXPECT_EQ(card.status, "completed");
  EXPECT_EQ(card.exit_code, 0);
  EXPECT_GT(card.events, 0u);
  EXPECT_GE(card.duration_ms, 0);
  EXPECT_FALSE(card.run_id.empty());
}

TEST(Review, ACardOfNonsenseIsEmpty) {
  for (const char* text : {"null", "[]", "{}", R"({"receipt":1,"events":{}})", R"({"receipt":{"runId":1},"events":[1,{"event":2},{"event":{"type":"command.executed","exitCode":1e300}}]})"}) {
    const Scorecard card = CardOf(canon::Parse(text, canon::Mode::kWire).value());
    EXPECT_EQ(card.run_id, "");
    EXPECT_FALSE(card.exit_code);
  }
}

}  // namespace
}  // namespace writ::client

#include <gmock/gmock.h>

#include "storage/conformance/plane_fixture_for_test.h"

namespace writ::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using PlaneEventsTest = PlaneTablesTest;
INSTANTIATE_TEST_SUITE_P(Stores, PlaneEventsTest, testing::Values("memory", "sqlite"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(PlaneEventsTest, BatchesOfEventsAreStoredWholeOrNotAtAll) {
  CreateContractedRun("run_1");
  std::vector<std::string> hashes = {Hash("run_1")}, texts;
  for (int i = 0; i < 6; ++i) {
    hashes.push_back(Hash(hashes.back()));
    texts.push_back(fmt::format("event {}", i));
  }
  const auto event = [&](std::size_t seq) {
    return NewEvent{.seq = seq, .prev = hashes[seq], .hash = hashes[seq + 1], .text = texts[seq]};
  };
  const auto append = [&](std::vector<NewEvent> events) {
    return Do([&](Transaction& t) { return t.AppendEvents("run_1", events); });
  };
  ASSERT_TRUE(append({}));
  ASSERT_TRUE(append({event(0), event(1)}));
  EXPECT_EQ(append({event(2), event(4)}).error().code, Code::kInvalid) << "a gap";
  EXPECT_EQ(append({event(2), event(2)}).error().code, Code::kInvalid) << "twice";
  EXPECT_EQ(append({event(1), event(2)}).error().code, Code::kInvalid) << "begins too early";
  NewEvent fork = event(3);
  fork.prev = hashes[0];
  EXPECT_EQ(append({event(2), fork}).error().code, Code::kInvalid) << "a fork";
  NewEvent unhashed = event(3);
  unhashed.hash = "short";
  EXPECT_EQ(append({event(2), unhashed}).error().code, Code::kInvalid);
  EXPECT_EQ(*store_->Events("run_1"), (std::vector<std::string>{"event 0", "event 1"}));
  ASSERT_TRUE(Do([&](Transaction& t) -> Result<> {
    const std::vector<NewEvent> bad = {event(2), event(4)}, good = {event(2), event(3)};
    EXPECT_FALSE(t.AppendEvents("run_1", bad));
    WRIT_TRY("append", t.AppendEvents("run_1", good));
    return t.AppendEvent("run_1", event(4));
  }));
  EXPECT_EQ(store_->Events("run_1")->size(), 5u);
  EXPECT_EQ(store_->GetRun("run_1")->head, hashes[5]);
  EXPECT_EQ(Refused([&](Transaction& t) { return t.AppendEvents("none", {}); }), Code::kNotFound);
  Do([&](Transaction& t) {
    const std::vector<NewEvent> last = {event(5)};
    EXPECT_TRUE(t.AppendEvents("run_1", last));
    return Result<>(Fail(Code::kDenied, "undo"));
  }).error();
  EXPECT_EQ(store_->GetRun("run_1")->head, hashes[5]);
  EXPECT_EQ(store_->GetRun("run_1")->event_count, 5u);
}

class EventsAfterTest : public PlaneTablesTest {
 protected:
  /// A run with events whose `ts` are these.
  void MakeRun(const std::string& id, const std::vector<std::string>& times) {
    CreateContractedRun(id);
    std::string head = Hash(id);
    for (std::size_t seq = 0; seq < times.size(); ++seq) {
      const std::string hash = Hash(head), text = fmt::format(R"({{"seq":{},"ts":"{}"}})", seq, times[seq]);
      ASSERT_TRUE(Do([&](Transaction& t) {
        return t.AppendEvent(id, {.seq = seq, .prev = head, .hash = hash, .text = text});
      }));
      head = hash;
    }
  }
  /// All pages, as "id/seq".
  std::vector<std::string> All(const std::string& since, std::size_t limit) {
    std::vector<std::string> found;
    std::optional<EventCursor> next = EventCursor{};
    while (next) {
      const auto page = store_->EventsAfter(since, *next, limit);
      if (!page) {
        ADD_FAILURE() << page.error().what;
        break;
      }
      EXPECT_LE(page->events.size(), limit);
      for (const StoredEvent& event : page->events) {
        found.push_back(fmt::format("{}/{}", event.run_id, event.seq));
        EXPECT_THAT(event.text, testing::StartsWith(fmt::format(R"({{"seq":{},)", event.seq)));
      }
      next = page->next;
    }
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(Stores, EventsAfterTest, testing::Values("memory", "sqlite"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(EventsAfterTest, AreInTheOrderOfIdsAndNotOfTime) {
  MakeRun("b", {"2026-01-01", "2026-01-03"});
  MakeRun("Z", {"2026-01-02", "2026-01-01", "2026-01-04"});  // a clock that was set back
  MakeRun("a", {"2026-01-02"});
  CreateRun("empty");
  for (const std::size_t limit : {1u, 2u, 3u, 100u}) {
    EXPECT_THAT(All("", limit), ElementsAre("Z/0", "Z/1", "Z/2", "a/0", "b/0", "b/1")) << limit;
    EXPECT_THAT(All("2026-01-02", limit), ElementsAre("Z/0", "Z/2", "a/0", "b/1")) << limit;
    EXPECT_THAT(All("2026-01-03", limit), ElementsAre("Z/2", "b/1")) << limit;
    EXPECT_THAT(All("2026-01-05", limit), IsEmpty());
  }
  EXPECT_EQ(store_->EventsAfter("", {"a", 0}, 1)->events.front().run_id, "a");
  EXPECT_EQ(store_->EventsAfter("", {"aa", 7}, 1)->events.front().run_id, "b") << "the cursor's run is gone";
  EXPECT_EQ(store_->EventsAfter("", {"zz", 0}, 1)->next, std::nullopt);
  EXPECT_TRUE(store_->EventsAfter("", {}, 0)->next.has_value()) << "nothing was looked at";
}

TEST_P(EventsAfterTest, OnePageLooksAtABoundedNumber) {
  std::vector<std::string> times(3000, "2026-01-01");
  times.push_back("2026-01-09");
  times.push_back("2026-01-01");
  CreateContractedRun("run_1");
  std::vector<std::string> hashes = {Hash("run_1")}, texts;
  std::vector<NewEvent> events;
  for (std::size_t seq = 0; seq < times.size(); ++seq) {
    hashes.push_back(Hash(hashes.back()));
    texts.push_back(fmt::format(R"({{"seq":{},"ts":"{}"}})", seq, times[seq]));
  }
  for (std::size_t seq = 0; seq < times.size(); ++seq) {
    events.push_back({.seq = seq, .prev = hashes[seq], .hash = hashes[seq + 1], .text = texts[seq]});
  }
  ASSERT_TRUE(Do([&](Transaction& t) { return t.AppendEvents("run_1", events); }));
  const auto first = store_->EventsAfter("2026-01-02", {}, 1);
  ASSERT_TRUE(first);
  EXPECT_THAT(first->events, IsEmpty());
  ASSERT_TRUE(first->next);
  EXPECT_LT(first->next->seq, 3000u);
  EXPECT_THAT(All("2026-01-02", 1), ElementsAre("run_1/3000"));
}

}  // namespace
}  // namespace writ::storage

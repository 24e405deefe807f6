#include "plane/run_queue.h"

#include <gtest/gtest.h>

namespace writ::plane {
namespace {

const WallTime kNow = *ParseTimestamp("2026-03-01T12:00:00.000Z");

WaitingRun Waiting(std::uint64_t number, std::string tenant = "r1", RunNeeds needs = {}) {
  needs.tenant = std::move(tenant);
  return {.id = fmt::format("run_{}", number),
          .number = number,
          .pool = "default",
          .needs = std::move(needs),
          .expires = kNow + std::chrono::hours{1},
          .ends_at = MonoTime{} + std::chrono::hours{number}};
}
std::string Next(RunQueue& queue, const RunnerOffer& offer = {}, WallTime now = kNow) {
  const auto run = queue.TakeNext("default", offer, now);
  return run ? run->id : "";
}

TEST(RunQueue, OldestFirst) {
  RunQueue queue;
  for (const auto number : {3, 1, 2}) queue.Add(Waiting(static_cast<std::uint64_t>(number)));
  queue.Add(Waiting(1));  // twice is once
  EXPECT_EQ(queue.size(), 3u);
  EXPECT_FALSE(queue.TakeNext("other", {}, kNow));
  EXPECT_EQ(Next(queue), "run_1");
  queue.Add(Waiting(1));  // given back
  EXPECT_EQ(Next(queue), "run_1") << "keeps its place";
  EXPECT_EQ(queue.Take("run_3")->id, "run_3");
  EXPECT_FALSE(queue.Take("run_3"));
  EXPECT_EQ(Next(queue), "run_2");
  EXPECT_EQ(Next(queue), "");
  EXPECT_FALSE(queue.HasWaiting("default"));
  EXPECT_FALSE(queue.NextEnd());
  EXPECT_EQ(queue.CountOfTenant("r1"), 0u);
}

TEST(RunQueue, NeverAnExpiredRun) {
  RunQueue queue;
  WaitingRun old = Waiting(1);
  old.expires = kNow;
  queue.Add(old);
  queue.Add(Waiting(2));
  EXPECT_EQ(Next(queue), "run_2");
  EXPECT_EQ(Next(queue), "");
  EXPECT_EQ(Next(queue, {}, kNow - Millis{1}), "run_1");
}

TEST(RunQueue, KnowsTheKindsOfNeedOfATenant) {
  RunQueue queue;
  const auto needs = [](std::string zone, std::string tenant = "r1") { return RunNeeds{.labels = {{"zone", std::move(zone)}}, .tenant = std::move(tenant)}; };
  queue.Add(Waiting(1, "r1", needs("a")));
  queue.Add(Waiting(2, "r1", needs("a")));
  queue.Add(Waiting(3, "r1", needs("b")));
  queue.Add(Waiting(4, "r2", needs("c")));
  EXPECT_EQ(queue.KindsOfTenant("r1"), 2u);
  EXPECT_EQ(queue.KindsOfTenant("r2"), 1u);
  EXPECT_EQ(queue.KindsOfTenant("r3"), 0u);
  EXPECT_TRUE(queue.HasKind("default", needs("a")));
  EXPECT_FALSE(queue.HasKind("other", needs("a")));
  EXPECT_FALSE(queue.HasKind("default", needs("c")));
  EXPECT_FALSE(queue.HasKind("default", needs("a", "r3")));
  queue.Take("run_3");
  EXPECT_EQ(queue.KindsOfTenant("r1"), 1u);
}

TEST(RunQueue, EndsInOrder) {
  RunQueue queue;
  for (std::uint64_t number = 1; number <= 3; ++number) queue.Add(Waiting(number));
  EXPECT_EQ(queue.NextEnd(), MonoTime{} + std::chrono::hours{1});
  EXPECT_EQ(queue.EndedBy(MonoTime{} + std::chrono::hours{2}, 10), (std::vector<std::string>{"run_1", "run_2"}));
  EXPECT_EQ(queue.EndedBy(MonoTime{} + std::chrono::hours{9}, 1).size(), 1u);
}

TEST(RunQueue, Attack43_OneTenantCannotStarveTheOthers) {
  RunQueue queue;
  for (std::uint64_t number = 1; number <= 10000; ++number) queue.Add(Waiting(number, "greedy"));
  queue.Add(Waiting(10001, "modest"));
  queue.Add(Waiting(10002, "modest"));
  EXPECT_EQ(Next(queue), "run_1");
  EXPECT_EQ(Next(queue), "run_10001") << "the second claim, not the ten thousandth";
  EXPECT_EQ(Next(queue), "run_2");
  EXPECT_EQ(Next(queue), "run_10002");
  // Nor does one that always has exactly one run waiting.
  for (std::uint64_t number = 20000; number < 20010; ++number) {
    queue.Add(Waiting(number, "eager"));
    int greedy = 0;
    for (int i = 0; i < 2; ++i) greedy += Next(queue) != fmt::format("run_{}", number) ? 1 : 0;
    EXPECT_GE(greedy, 1);
  }
}

TEST(RunQueue, FitsTable) {
  struct Case {
    const char* why;
    RunNeeds needs;
    RunnerOffer offer;
    const char* missing;
  };
  const RunNeeds extended{.extension = true};
  const RunNeeds microvm{.extension = true, .tier = "microvm", .weakest = "process"};
  const RunNeeds nothing_enforced{.extension = true, .weakest = "none"};
  const RunNeeds labelled{.extension = true, .labels = {{"gpu", "a100"}}};
  const RunnerOffer ours{.extension = true, .tiers = {"process"}, .agents = {"command"}};
  const Case cases[] = {
      {"plain to anybody", {}, {}, ""},
      {"plain to ours", {}, ours, ""},
      {"another agent", {.agent = "codex"}, ours, "agent \"codex\""},
      {"an isolation ours has not", {.tier = "hermetic"}, ours, "tier \"hermetic\""},
      {"old runners get no extension", extended, {}, "the contract's writ extension"},
      {"not even when policy lets them, unless the contract says so", extended, {.legacy_allowed = true},
       "the contract's writ extension"},
      {"both say so", nothing_enforced, {.legacy_allowed = true}, ""},
      {"the contract alone does not", nothing_enforced, {}, "the contract's writ extension"},
      {"extension to ours", extended, ours, ""},
      {"a weaker tier the contract accepts", microvm, ours, ""},
      {"a weaker tier it does not accept", {.extension = true, .tier = "microvm", .weakest = "microvm"}, ours,
       "tier \"microvm\""},
      {"a label nobody has", labelled, ours, "label gpu=a100"},
      {"another value", labelled, {.extension = true, .labels = {{"gpu", "h100"}}}, "label gpu=a100"},
      {"the label", labelled, {.extension = true, .labels = {{"gpu", "a100"}, {"x", "y"}}}, ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(WhatIsMissing(c.needs, c.offer), c.missing);
    EXPECT_EQ(NeedsFromText(ToText(c.needs)), c.needs);
  }
}

TEST(RunQueue, NeedsOfAContract) {
  const auto contract = *canon::Parse(R"({"agent":{"kind":"codex"},"isolation":"vercel-sandbox"})", canon::Mode::kStrict);
  EXPECT_EQ(NeedsOf(contract, "r1", {{"vercel-sandbox", "microvm"}}),
            (RunNeeds{.tier = "microvm", .agent = "codex", .tenant = "r1"}));
  const auto extended = *canon::Parse(
      R"({"agent":{"kind":"command"},"writ":{"v":1,"tier":"wasm","weakest":"process","labels":{"a":"b"}}})",
      canon::Mode::kStrict);
  EXPECT_EQ(NeedsOf(extended, "", {}),
            (RunNeeds{.extension = true, .tier = "wasm", .weakest = "process", .labels = {{"a", "b"}}}));
}

}  // namespace
}  // namespace writ::plane

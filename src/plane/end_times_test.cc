#include "plane/end_times.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace writ::plane {
namespace {

TEST(EndTimes, GiveWhatEndsFirst) {
  const auto at = [](int seconds) { return MonoTime(std::chrono::seconds(seconds)); };
  EndTimes<MonoTime> ends;
  EXPECT_EQ(ends.Next(), std::nullopt);
  for (const auto& [second, id] : {std::pair(30, "c"), std::pair(10, "b"), std::pair(10, "a")}) ends.Add(at(second), id);
  EXPECT_EQ(ends.Next(), at(10));
  EXPECT_EQ(ends.EndedBy(at(9), 10), std::vector<std::string>());
  EXPECT_EQ(ends.EndedBy(at(10), 10), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ends.EndedBy(at(99), 2), (std::vector<std::string>{"a", "b"}));
  ends.Remove(at(10), "a");
  ends.Remove(at(11), "b");
  EXPECT_EQ(ends.EndedBy(at(99), 10), (std::vector<std::string>{"b", "c"})) << "only with its own end";
}

}  // namespace
}  // namespace writ::plane

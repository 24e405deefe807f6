#include "base/nearest.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

constexpr std::string_view kNames[] = {"allowPools", "allowHosts", "wall-time", "cpu-time", "pids", "memory"};

TEST(NearestName, Table) {
  struct Case {
    const char* why;
    std::string_view name, nearest;
  };
  const Case cases[] = {
      {"one letter missing", "allowPool", "allowPools"},
      {"another separator", "wall_time", "wall-time"},
      {"letter case", "ALLOWHOSTS", "allowHosts"},
      {"no separator", "cputime", "cpu-time"},
      {"neighbours swapped", "memroy", "memory"},
      {"exact", "pids", "pids"},
      {"nothing near", "retention", ""},
      {"empty", "", ""},
      {"short names need a real resemblance", "xy", ""},
      {"separators only", "---", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(NearestName(c.name, kNames), c.nearest);
  }
}

TEST(NearestName, LongNamesHaveNoNeighbour) {
  const std::string name(1 << 20, 'a');
  EXPECT_EQ(NearestName(name, kNames), "");
}

TEST(DidYouMean, IsEmptyWithoutNeighbour) {
  EXPECT_EQ(DidYouMean("memori", kNames), "; did you mean \"memory\"?");
  EXPECT_EQ(DidYouMean("zzzzzz", kNames), "");
}

}  // namespace
}  // namespace writ

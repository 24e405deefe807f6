#include <gtest/gtest.h>

#include <set>

#include "isolation/backend.h"

namespace writ::isolation {
namespace {

TEST(TerminationName, EveryEndHasAWordOfItsOwn) {
  std::set<std::string_view> names;
  for (int value = 0; value <= static_cast<int>(Termination::kNotStarted); ++value) {
    const auto name = TerminationName(static_cast<Termination>(value));
    EXPECT_NE(name, "unknown");
    names.insert(name);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Termination::kNotStarted) + 1);
}

}  // namespace
}  // namespace writ::isolation

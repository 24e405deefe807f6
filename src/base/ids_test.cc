#include "base/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(MakeId, IsAVersion4Uuid) {
  const std::string id = MakeId("run_");
  EXPECT_THAT(id, testing::MatchesRegex("run_[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
  EXPECT_EQ(id.size(), 40u);
  EXPECT_NE(id, MakeId("run_"));
}

}  // namespace
}  // namespace writ

#include "base/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace writ {
namespace {

using ::testing::HasSubstr;

TEST(LimitTable, NamesEachLimitOnce) {
  std::set<std::string_view> names, members;
  for (const LimitField& field : LimitFields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    EXPECT_TRUE(members.insert(field.member).second) << field.member;
    EXPECT_EQ(FindLimit(field.name), &field);
    EXPECT_EQ(FindLimitMember(field.member), &field);
  }
  EXPECT_EQ(names.size(), 10u);
  EXPECT_EQ(FindLimit("memoryBytes"), nullptr);
  EXPECT_EQ(FindLimitMember("memory"), nullptr);
}

TEST(LimitTable, SetsWhatItGets) {
  for (const LimitField& field : LimitFields()) {
    Limits limits;
    EXPECT_NE(field.get(limits), 0u) << field.name;
    field.set(limits, 7);
    EXPECT_EQ(field.get(limits), 7u) << field.name;
    field.set(limits, field.most);
    EXPECT_EQ(field.get(limits), field.most) << field.name << ": the member cannot hold its largest value";
  }
}

TEST(CheckLimits, DefaultsHold) { EXPECT_TRUE(CheckLimits({})); }

TEST(CheckLimits, RefusesZeroAndMoreThanTheMost) {
  for (const LimitField& field : LimitFields()) {
    for (const std::uint64_t value : {std::uint64_t{0}, field.most + 1}) {
      Limits limits;
      field.set(limits, value);
      const bool fits = field.get(limits) == value;  // a 32-bit member cannot even hold some of them
      const auto checked = CheckLimits(limits);
      if (fits) {
        ASSERT_FALSE(checked) << field.name << " " << value;
        EXPECT_THAT(checked.error().what, HasSubstr(std::string(field.name)));
      }
    }
  }
  EXPECT_FALSE(CheckLimits({.wall_time = Millis{-1}}));
}

TEST(ParseLimit, ReadsWhatFormatLimitWrites) {
  for (const LimitField& field : LimitFields()) {
    for (const std::uint64_t value : {std::uint64_t{1}, std::uint64_t{1025}, field.get(Limits{}), field.most}) {
      const auto read = ParseLimit(field, FormatLimit(field, value));
      ASSERT_TRUE(read) << field.name << ": " << read.error().what;
      EXPECT_EQ(*read, value) << field.name;
    }
    EXPECT_FALSE(ParseLimit(field, "0")) << field.name;
    EXPECT_FALSE(ParseLimit(field, "99999999999999999999")) << field.name;
    EXPECT_FALSE(ParseLimit(field, "many")) << field.name;
  }
  EXPECT_THAT(ParseLimit(*FindLimit("memory"), "9000T").error().what, HasSubstr("largest possible limit"));
}

}  // namespace
}  // namespace writ

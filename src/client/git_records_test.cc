#include "client/git_records.h"

#include <gtest/gtest.h>

namespace writ::client {
namespace {

using namespace std::string_literals;

const std::string kOne(40, '1'), kTwo(40, '2');

TEST(GitRecords, ListsMustBeWhole) {
  EXPECT_EQ(*SplitNul("a\0b\nc\0"s), (std::vector<std::string>{"a", "b\nc"}));
  EXPECT_TRUE(SplitNul("")->empty());
  EXPECT_FALSE(SplitNul("a\0b"s));
}

TEST(GitRecords, ChangesAreRead) {
  const auto read = ReadChangeRecords(":100644 120000 " + kOne + " " + kTwo + " T\0a b\nc\0"s + ":000000 100755 " +
                                      kOne + " " + kTwo + " A\0:x\0"s);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, (std::vector<ChangeRecord>{{"120000", kTwo, "a b\nc", 'T'}, {"100755", kTwo, ":x", 'A'}}));
  for (const std::string& bad :
       {"x\0y\0"s, ":100644\0y\0"s, ":100644 100644 " + kOne + " " + kTwo + " M\0"s,
        ":100644 100644 " + kOne + " " + kTwo + " M\0\0"s, ":100644 100644 " + kOne + " short M\0y\0"s,
        ":100644 10064x " + kOne + " " + kTwo + " M\0y\0"s, ":100644 100644 " + kOne + " " + kTwo + " M more\0y\0"s,
        ":100644 100644 " + kOne + " " + kTwo + " R100\0y\0z\0"s})
    EXPECT_FALSE(ReadChangeRecords(bad)) << bad;
}

TEST(GitRecords, BatchIsRead) {
  const auto read = ReadBatch(kOne + " blob 3\na\nb\n" + kTwo + " blob 0\n\n");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, (std::map<std::string, std::string>{{kOne, "a\nb"}, {kTwo, ""}}));
  for (const std::string& bad :
       {kOne + " missing\n", kOne + " tree 3\nabc\n", kOne + " blob 4\nabc\n", kOne + " blob 3\nabcd\n",
        kOne + " blob -1\n\n", kOne + " blob 99999999999999999999\n\n", kOne + " blob 3", "short blob 0\n\n"s,
        kOne + " blob \n\n"})
    EXPECT_FALSE(ReadBatch(bad)) << bad;
}

}  // namespace
}  // namespace writ::client

#include "sys/swap.h"

#include <gtest/gtest.h>

namespace writ::sys {
namespace {

TEST(Swap, OnlyAHeadingMeansNone) {
  constexpr std::string_view kHeading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  EXPECT_FALSE(ListsSwap(kHeading));
  EXPECT_TRUE(ListsSwap(std::string(kHeading) + "/dev/sda2                               partition\t1048572\t0\t-2\n"));
  EXPECT_TRUE(ListsSwap(std::string(kHeading) + "/swap file\tfile\t1\t0\t-2"));
}

TEST(Swap, WhatCannotBeReadCountsAsSwap) {
  for (const char* text : {"", "Filename", "\n", "/dev/zram0 partition 1 0 100\n"})
    EXPECT_TRUE(ListsSwap(text)) << text;
}

}  // namespace
}  // namespace writ::sys

#include "plane/rate.h"

#include <gtest/gtest.h>

namespace writ::plane {
namespace {

TEST(RateLimit, BurstThenRefill) {
  RateLimit limit(50, 100);
  MonoTime now{};
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limit.Take("a", now)) << i;
  EXPECT_FALSE(limit.Take("a", now));
  EXPECT_TRUE(limit.Take("b", now)) << "everybody has a bucket";
  now += Millis{20};
  EXPECT_TRUE(limit.Take("a", now));
  EXPECT_FALSE(limit.Take("a", now));
  now += std::chrono::hours{1};
  int taken = 0;
  while (limit.Take("a", now)) ++taken;
  EXPECT_EQ(taken, 100) << "never more than the burst";
}

TEST(RateLimit, ForgetsFullBuckets) {
  RateLimit limit;
  MonoTime now{};
  for (int i = 0; i < 100000; ++i) {
    EXPECT_TRUE(limit.Take(std::to_string(i), now));
    now += Millis{20};
  }
  EXPECT_LE(limit.size(), 1025u);
}

}  // namespace
}  // namespace writ::plane

#include "base/clock.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(Timestamp, RoundTrips) {
  for (const char* text : {"1970-01-01T00:00:00.000Z", "2026-06-11T00:00:00.126Z", "2024-02-29T23:59:59.999Z"})
    EXPECT_EQ(FormatTimestamp(ParseTimestamp(text).value()), text);
}

TEST(Timestamp, RefusesOtherForms) {
  for (const char* text : {"", "2026-06-11", "2026-06-11T00:00:00Z", "2026-06-11 00:00:00.000Z", "2026-02-30T00:00:00.000Z",
                           "2026-06-11T24:00:00.000Z", "2026-06-11T00:00:00.000+01:00", "20x6-06-11T00:00:00.000Z"})
    EXPECT_FALSE(ParseTimestamp(text)) << text;
}

TEST(FakeClock, AWallJumpDoesNotMoveMonotonicTime) {
  FakeClock clock(WallTime{Millis{1000}});
  const MonoTime before = clock.Mono();
  clock.SetWall(WallTime{Millis{1}});
  EXPECT_EQ(clock.Mono(), before);
  clock.Advance(Millis{5});
  EXPECT_EQ(clock.Mono() - before, Millis{5});
  EXPECT_EQ(clock.Now(), WallTime{Millis{6}});
}

}  // namespace
}  // namespace writ

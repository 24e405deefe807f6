#include "plane/lockout.h"

#include <gtest/gtest.h>

namespace writ::plane {
namespace {

using std::chrono::seconds;

constexpr std::string_view kUnknown = Lockout::kUnknown;

TEST(Lockout, TwentyFailuresWithinAMinuteLockForAMinute) {
  Lockout lockout;
  MonoTime now{};
  for (int i = 0; i < 19; ++i) lockout.Failed("10.0.0.1", kUnknown, now += seconds(1));
  EXPECT_FALSE(lockout.UnknownLocked("10.0.0.1", now));
  lockout.Failed("10.0.0.1", kUnknown, now);
  EXPECT_TRUE(lockout.UnknownLocked("10.0.0.1", now));
  EXPECT_FALSE(lockout.UnknownLocked("10.0.0.2", now)) << "another address";
  EXPECT_TRUE(lockout.UnknownLocked("10.0.0.1", now + seconds(59)));
  EXPECT_FALSE(lockout.UnknownLocked("10.0.0.1", now + seconds(60)));
}

TEST(Lockout, FailuresFurtherApartDoNotCount) {
  Lockout lockout;
  MonoTime now{};
  for (int i = 0; i < 100; ++i) lockout.Failed("a", kUnknown, now += seconds(4));
  EXPECT_FALSE(lockout.UnknownLocked("a", now));
}

TEST(Lockout, ASuccessClearsThePairOnly) {
  Lockout lockout;
  MonoTime now{};
  for (int i = 0; i < 19; ++i) lockout.Failed("a", "r1", now);
  lockout.LetIn("a", "r1", now);
  lockout.Failed("a", "r1", now);
  EXPECT_FALSE(lockout.Locked("a", "r1", now));
  for (int i = 0; i < 19; ++i) lockout.Failed("a", kUnknown, now);
  lockout.LetIn("a", "r1", now);
  lockout.Failed("a", kUnknown, now);
  EXPECT_TRUE(lockout.UnknownLocked("a", now)) << "somebody else's success is none of a guesser's";
}

TEST(Lockout, NeighboursBehindTheSameAddressGoOn) {
  Lockout lockout;
  const MonoTime now{};
  lockout.LetIn("nat", "r1", now);
  for (int i = 0; i < 20; ++i) lockout.Failed("nat", kUnknown, now);
  EXPECT_FALSE(lockout.Locked("nat", "r1", now)) << "was let in from there before";
  EXPECT_TRUE(lockout.Locked("nat", "admin", now)) << "a token guessed during the lock is not taken";
  EXPECT_FALSE(lockout.Locked("elsewhere", "admin", now));
  for (int i = 0; i < 20; ++i) lockout.Failed("nat", "r1", now);
  EXPECT_TRUE(lockout.Locked("nat", "r1", now)) << "its own failures count";
}

TEST(Lockout, MemoryIsBounded) {
  Lockout lockout(10);
  MonoTime now{};
  for (int i = 0; i < 20; ++i) lockout.Failed("bad", kUnknown, now);
  for (int i = 0; i < 9; ++i) lockout.Failed(std::to_string(i), kUnknown, now += Millis{1});
  EXPECT_EQ(lockout.size(), 10u);
  EXPECT_TRUE(lockout.UnknownLocked("bad", now));
  for (int i = 0; i < 1000; ++i) lockout.Failed(std::to_string(i), kUnknown, now += Millis{1});
  EXPECT_EQ(lockout.size(), 10u);
}

}  // namespace
}  // namespace writ::plane

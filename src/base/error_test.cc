#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace writ {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Fail(Code::kInvalid, "{} is odd", n);
  return n / 2;
}


TEST(Error, GathersContextOnTheWayUp) {
  EXPECT_EQ(Half(8).value(), 4);
  const auto failed = [](int n) -> Result<int> {
    int half = WRIT_TRY("halve", Half(n));
    return WRIT_TRY("halve again", Half(half));
  }(6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what, "halve again: 3 is odd");
  EXPECT_EQ(failed.error().code, Code::kInvalid);
}

TEST(Error, ErrnoKeepsTheReason) {
  const Error error = ErrnoError(ENOSPC, "write blob");
  EXPECT_EQ(error.what, "write blob: No space left on device");
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_EQ(ErrnoError(ENOENT, "x").code, Code::kNotFound);
  EXPECT_EQ(ErrnoError(EPERM, "x").code, Code::kDenied);
}

}  // namespace
}  // namespace writ

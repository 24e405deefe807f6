#pragma once

#include <grp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace writ::isolation {

/// Becomes the user that $WRIT_TEST_UID names, for good, when the test was started by root: the same test program is
/// registered a second time that way, so that every promise is also kept rootless.
inline void BecomeTestUser() {
  const char* uid = std::getenv("WRIT_TEST_UID");
  if (uid == nullptr || ::geteuid() != 0) return;
  const auto id = static_cast<uid_t>(std::atoi(uid));
  ASSERT_NE(id, 0u);
  ASSERT_EQ(::setgroups(0, nullptr), 0);
  ASSERT_EQ(::setresgid(id, id, id), 0);
  ASSERT_EQ(::setresuid(id, id, id), 0);
}

}  // namespace writ::isolation

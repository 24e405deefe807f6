#include "secrets/credentials.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace writ::secrets {
namespace {

TEST(Credentials, AVariableIsTakenAndWipedWhereItStood) {
  static char entry[] = "WRIT_TEST_TAKEN=hunter2hunter2";
  ASSERT_EQ(::putenv(entry), 0);
  const auto taken = TakeVariable("WRIT_TEST_TAKEN");
  EXPECT_EQ(taken.text(), "hunter2hunter2");
  EXPECT_EQ(std::getenv("WRIT_TEST_TAKEN"), nullptr);
  EXPECT_EQ(std::string(entry, sizeof(entry)).find("hunter"), std::string::npos) << "the block itself is overwritten";
  EXPECT_TRUE(TakeVariable("WRIT_TEST_TAKEN").empty());
}

TEST(Credentials, MemoryIsKeptPrivate) {
  const pid_t child = ::fork();
  if (child == 0) {
    struct rlimit limit{};
    const bool kept = KeepMemoryPrivate() && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                      ::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0;
    ::_exit(kept ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace writ::secrets

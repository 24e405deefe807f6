#include "storage/run_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/file.h"

namespace writ::storage {
namespace {

class RunLockTest : public testing::Test {
 protected:
  RunLockTest()
      : directory_(*sys::TemporaryDirectory::Create("/tmp", "writ-lock-")),
        state_(*StateDir::Open(directory_.path(), StateAccess::kWrite)) {}
  sys::TemporaryDirectory directory_;
  StateDir state_;
};

TEST_F(RunLockTest, OneHolderAtATime) {
  EXPECT_FALSE(*RunLock::IsHeld(state_, "run_1"));
  {
    const auto lock = RunLock::TryTake(state_, "run_1");
    ASSERT_TRUE(lock && *lock);
    EXPECT_TRUE(*RunLock::IsHeld(state_, "run_1"));
    EXPECT_FALSE(RunLock::TryTake(state_, "run_1")->has_value());
    EXPECT_TRUE(RunLock::TryTake(state_, "run_2")->has_value());
  }
  EXPECT_FALSE(*RunLock::IsHeld(state_, "run_1"));
  EXPECT_TRUE(RunLock::TryTake(state_, "run_1")->has_value());
}

TEST_F(RunLockTest, NamesThatAreNoRunIdsAreRefused) {
  for (const char* id : {"", "../x", "a/b", ".."}) {
    EXPECT_EQ(RunLock::TryTake(state_, id).error().code, Code::kInvalid) << id;
    EXPECT_EQ(RunLock::IsHeld(state_, id).error().code, Code::kInvalid) << id;
  }
}

TEST_F(RunLockTest, RetireRemovesTheFile) {
  auto lock = *RunLock::TryTake(state_, "run_1");
  ASSERT_TRUE(lock);
  ASSERT_TRUE(std::move(*lock).Retire());
  EXPECT_NE(::access((directory_.path() + "/runs/run_1.lock").c_str(), F_OK), 0);
  EXPECT_FALSE(*RunLock::IsHeld(state_, "run_1"));
  EXPECT_TRUE(RunLock::TryTake(state_, "run_1")->has_value());
}

TEST_F(RunLockTest, AReadOnlyStateCanBeLookedAt) {
  const auto lock = *RunLock::TryTake(state_, "run_1");
  const auto reading = StateDir::Open(directory_.path(), StateAccess::kRead);
  ASSERT_TRUE(reading);
  EXPECT_TRUE(*RunLock::IsHeld(*reading, "run_1"));
  EXPECT_FALSE(*RunLock::IsHeld(*reading, "run_2"));
}

TEST_F(RunLockTest, KillingTheHolderFreesTheLock) {
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = RunLock::TryTake(state_, "run_1");
    const char said = lock && *lock ? 'y' : 'n';
    if (::write(ready[1], &said, 1) != 1) ::_exit(2);
    for (;;) ::pause();
  }
  char said = 0;
  ASSERT_EQ(::read(ready[0], &said, 1), 1);
  EXPECT_EQ(said, 'y');
  EXPECT_TRUE(*RunLock::IsHeld(state_, "run_1"));
  EXPECT_FALSE(RunLock::TryTake(state_, "run_1")->has_value());
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(*RunLock::IsHeld(state_, "run_1"));
  EXPECT_TRUE(RunLock::TryTake(state_, "run_1")->has_value());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(RunLockTest, AProgramStartedMeanwhileDoesNotKeepTheLock) {
  pid_t child = -1;
  {
    const auto lock = *RunLock::TryTake(state_, "run_1");
    ASSERT_TRUE(lock);
    child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::execl("/bin/sleep", "sleep", "30", nullptr);
      ::_exit(127);
    }
    // The lock is free once the child has replaced itself; wait for that, not for a time.
    const std::string link = fmt::format("/proc/{}/exe", child);
    char target[256] = {};
    do {
      const ssize_t length = ::readlink(link.c_str(), target, sizeof target - 1);
      ASSERT_GT(length, 0);
      target[length] = '\0';
    } while (std::string_view(target).find("sleep") == std::string_view::npos &&
             std::string_view(target).find("coreutils") == std::string_view::npos &&
             std::string_view(target).find("busybox") == std::string_view::npos);
  }
  EXPECT_FALSE(*RunLock::IsHeld(state_, "run_1"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace writ::storage

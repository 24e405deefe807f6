#include "isolation/process/landlock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

namespace writ::isolation::process {
namespace {

/// A directory with `open` (writable in the rules) and `closed` (readable in them).
class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto abi = LandlockAbi();
    if (!abi) GTEST_SKIP() << abi.error().what;
    abi_ = *abi;
    char name[] = "/tmp/writ-landlock-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    for (const char* directory : {"/open", "/open/deep", "/closed"})
      ASSERT_EQ(::mkdir((root_ + directory).c_str(), 0755), 0);
    ASSERT_GE(::close(::open((root_ + "/closed/file").c_str(), O_CREAT | O_WRONLY, 0644)), 0);
  }
  void TearDown() override {
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  /// Runs `body` in a restricted child; returns its exit code, 128 + signal, or the code of a failed step.
  int Restricted(const std::function<int()>& body) const {
    const std::string open = root_ + "/open";
    const LandlockPlace places[] = {{"/", LandlockPlace::Use::kRead},
                                    {open.c_str(), LandlockPlace::Use::kWrite},
                                    {"/dev", LandlockPlace::Use::kDevices},
                                    {"/does/not/exist", LandlockPlace::Use::kWrite}};
    const pid_t child = ::fork();
    if (child == 0) {
      if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(110);
      const auto landlock = PrepareLandlock(places);
      if (!landlock) ::_exit(111);
      if (!EnforceLandlock(*landlock)) ::_exit(112);
      ::_exit(body());
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) return 113;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string root_;
  int abi_ = 0;
};

bool Refused(int result) { return result < 0 && (errno == EACCES || errno == EPERM || errno == EXDEV); }

TEST_F(LandlockTest, ReportsTheVersionItUses) {
  const auto landlock = PrepareLandlock();
  ASSERT_TRUE(landlock) << landlock.error().what;
  EXPECT_EQ(landlock->abi, std::min(abi_, kLandlockAbiKnown));
  EXPECT_NE(::fcntl(landlock->ruleset.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(LandlockTest, WritesOnlyWhereAPlaceAllowsIt) {
  EXPECT_EQ(Restricted([this] {
    const std::string closed = root_ + "/closed";
    if (!Refused(::open((closed + "/file").c_str(), O_WRONLY))) return 1;
    if (!Refused(::open((closed + "/new").c_str(), O_CREAT | O_WRONLY, 0644))) return 2;
    if (!Refused(::unlink((closed + "/file").c_str()))) return 3;
    if (!Refused(::mkdir((closed + "/d").c_str(), 0755))) return 4;
    if (!Refused(::symlink("x", (closed + "/l").c_str()))) return 5;
    if (!Refused(::mkfifo((closed + "/p").c_str(), 0644))) return 6;
    if (::open((closed + "/file").c_str(), O_RDONLY) < 0) return 7;
    const std::string open = root_ + "/open";
    if (::open((open + "/new").c_str(), O_CREAT | O_WRONLY, 0644) < 0) return 8;
    if (::mkdir((open + "/d").c_str(), 0755) != 0 || ::symlink("x", (open + "/l").c_str()) != 0) return 9;
    if (::mkfifo((open + "/p").c_str(), 0644) != 0 || ::unlink((open + "/p").c_str()) != 0) return 10;
    return 0;
  }), 0);
}

TEST_F(LandlockTest, MovesBetweenDirectoriesOnlyWithinWritablePlaces) {
  EXPECT_EQ(Restricted([this] {
    const std::string open = root_ + "/open", closed = root_ + "/closed";
    if (::open((open + "/f").c_str(), O_CREAT | O_WRONLY, 0644) < 0) return 1;
    if (!Refused(::rename((open + "/f").c_str(), (closed + "/f").c_str()))) return 2;
    if (!Refused(::link((closed + "/file").c_str(), (open + "/hard").c_str()))) return 3;
    const int moved = ::rename((open + "/f").c_str(), (open + "/deep/f").c_str());
    return (abi_ >= 2 ? moved == 0 : Refused(moved)) ? 0 : 4;
  }), 0);
}

TEST_F(LandlockTest, TruncatesOnlyWhereAPlaceAllowsIt) {
  if (abi_ < 3) GTEST_SKIP() << "Landlock ABI " << abi_ << " cannot refuse truncation (3 can)";
  EXPECT_EQ(Restricted([this] { return Refused(::truncate((root_ + "/closed/file").c_str(), 0)) ? 0 : 1; }), 0);
}

TEST_F(LandlockTest, UsesDevicesButMakesNone) {
  EXPECT_EQ(Restricted([this] {
    const int null = ::open("/dev/null", O_WRONLY | O_TRUNC);
    if (null < 0 || ::write(null, "x", 1) != 1) return 1;
    if (!Refused(::open("/dev/new", O_CREAT | O_WRONLY, 0644))) return 2;
    return Refused(::mknod((root_ + "/open/device").c_str(), S_IFCHR | 0600, 0x103)) ? 0 : 3;
  }), 0);
}

TEST_F(LandlockTest, Attack08_SignalsAndAbstractSocketsStayInside) {
  if (abi_ < 6) GTEST_SKIP() << "Landlock ABI " << abi_ << " cannot scope signals and abstract sockets (6 can)";
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string name = "writ-landlock-" + std::to_string(::getpid());
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  EXPECT_EQ(Restricted([&] {
    if (!Refused(::kill(::getppid(), 0))) return 1;
    if (::kill(::getpid(), 0) != 0) return 2;
    const int client = ::socket(AF_UNIX, SOCK_STREAM, 0);
    return Refused(::connect(client, reinterpret_cast<sockaddr*>(&address), length)) ? 0 : 3;
  }), 0);
  ::close(listener);
}

TEST_F(LandlockTest, Attack04_ADirectoryDescriptorFromOutsideGivesNoWriting) {
  const int closed = ::open((root_ + "/closed").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_GE(closed, 0);
  EXPECT_EQ(Restricted([=] { return Refused(::openat(closed, "new", O_CREAT | O_WRONLY, 0644)) ? 0 : 1; }), 0);
  ::close(closed);
}

TEST(Landlock, WithoutTheKernelFeatureTheAnswerIsUnavailable) {
  if (LandlockAbi()) GTEST_SKIP() << "this kernel has Landlock";
  const auto landlock = PrepareLandlock();
  ASSERT_FALSE(landlock);
  EXPECT_EQ(landlock.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace writ::isolation::process

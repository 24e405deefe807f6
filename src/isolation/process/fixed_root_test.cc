#include "isolation/process/fixed_root.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "sys/mount_api.h"

namespace writ::isolation::process {
namespace {

constexpr int kCannotUnshare = 77;

/// Runs `body` in a child with a mount namespace of its own; its result is the exit code. Returns kCannotUnshare where this
/// user may not make one.
int InOwnMounts(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const uid_t uid = ::geteuid();
    if (::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) ::_exit(kCannotUnshare);
    if (uid != 0) std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(kCannotUnshare);
    ::_exit(body());
  }
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const CellIds& SingleId() {
  static const CellIds ids;
  return ids;
}

TEST(FixedRoot, ACopyIsReadOnlyAndWhole) {
  const int code = InOwnMounts([] {
    FixedRoot root;
    if (root.made() || !root.wanted() || root.CopyFor(::getpid(), SingleId()).valid()) return 1;
    if (!root.Make() || root.wanted()) return 2;
    const sys::UniqueFd copy = root.CopyFor(::getpid(), SingleId());
    if (!copy.valid()) return 3;
    for (const char* there : {"etc/passwd", "usr/bin", "dev/null", "proc", "tmp", "work", ".cell"})
      if (::faccessat(copy.get(), there, F_OK, 0) != 0) return 4;
    if (::openat(copy.get(), "etc/passwd", O_WRONLY) >= 0 || errno != EROFS) return 5;
    if (::mkdirat(copy.get(), "usr/x", 0755) == 0 || errno != EROFS) return 6;
    if (::mknodat(copy.get(), "dev/x", S_IFREG | 0600, 0) == 0 || errno != EROFS) return 7;
    return 0;
  });
  if (code == kCannotUnshare) GTEST_SKIP() << "no mount namespaces for this user";
  EXPECT_EQ(code, 0);
}

TEST(FixedRoot, NothingThatTheHostMountsLaterAppearsInIt) {
  const int code = InOwnMounts([] {
    FixedRoot root;
    if (!root.Make()) return 1;
    if (::mount("tmpfs", "/usr/bin", "tmpfs", 0, nullptr) != 0) return 2;
    const sys::UniqueFd copy = root.CopyFor(::getpid(), SingleId());
    if (!copy.valid()) return 3;
    return ::faccessat(copy.get(), "usr/bin/env", F_OK, 0) == 0 ? 0 : 4;
  });
  if (code == kCannotUnshare) GTEST_SKIP() << "no mount namespaces for this user";
  EXPECT_EQ(code, 0);
}

TEST(FixedRoot, IsBuiltAnewWhenTheHostReplacedWhatItShows) {
  const int code = InOwnMounts([] {
    FixedRoot root;
    if (!root.Make()) return 1;
    // As an update of a package would: another file of that name.
    const auto other = sys::NewMount("tmpfs", "mode=0755", {});
    if (!other || !sys::AttachMount(*other, AT_FDCWD, "/etc")) return 2;
    if (root.CopyFor(::getpid(), SingleId()).valid()) return 3;
    if (root.made() || !root.wanted()) return 4;
    if (!root.Make()) return 5;
    const sys::UniqueFd copy = root.CopyFor(::getpid(), SingleId());
    if (!copy.valid()) return 6;
    return ::faccessat(copy.get(), "etc/ssl/certs", F_OK, 0) == 0 ? 7 : 0;
  });
  if (code == kCannotUnshare) GTEST_SKIP() << "no mount namespaces for this user";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace writ::isolation::process

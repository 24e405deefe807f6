#include "isolation/process/fixed_root.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "isolation/test_user_for_test.h"
#include "sys/mount_api.h"

namespace writ::isolation::process {
namespace {

/// Runs `body` in a child with a mount namespace of its own, where nothing may differ from 0; skips where this user may not
/// make one. To be the last of a test.
void InOwnMounts(const std::function<int()>& body) {
  constexpr int kCannotUnshare = 77, kNotMapped = 78;
  BecomeTestUser();
  const pid_t child = ::fork();
  if (child == 0) {
    const uid_t uid = ::geteuid();
    const gid_t gid = ::getegid();
    if (::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) ::_exit(kCannotUnshare);
    if (uid != 0) {
      ::prctl(PR_SET_DUMPABLE, 1);  // who changed its user may not write to its own /proc/self otherwise
      const auto write = [](const char* path, const std::string& text) { return static_cast<bool>(std::ofstream(path) << text << std::flush); };
      if (!write("/proc/self/setgroups", "deny") || !write("/proc/self/uid_map", fmt::format("0 {} 1", uid)) ||
          !write("/proc/self/gid_map", fmt::format("0 {} 1", gid)))
        ::_exit(kNotMapped);
    }
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(kCannotUnshare);
    ::_exit(body());
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kCannotUnshare) GTEST_SKIP() << "no mount namespaces for this user";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the number of the step";
}

const CellIds& SingleId() {
  static const CellIds ids;
  return ids;
}

TEST(FixedRoot, ACopyIsReadOnlyAndWhole) {
  InOwnMounts([] {
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
}

TEST(FixedRoot, NothingThatTheHostMountsLaterAppearsInIt) {
  InOwnMounts([] {
    FixedRoot root;
    if (!root.Make()) return 1;
    if (::mount("tmpfs", "/usr/bin", "tmpfs", 0, nullptr) != 0) return 2;
    const sys::UniqueFd copy = root.CopyFor(::getpid(), SingleId());
    if (!copy.valid()) return 3;
    return ::faccessat(copy.get(), "usr/bin/env", F_OK, 0) == 0 ? 0 : 4;
  });
}

TEST(FixedRoot, IsBuiltAnewWhenTheHostReplacedWhatItShows) {
  InOwnMounts([] {
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
}

TEST(FixedRoot, OneThatCannotBeFinishedLeavesNothing) {
  InOwnMounts([] {
    const auto empty = sys::NewMount("tmpfs", "mode=0755", {});
    if (!empty || !sys::AttachMount(*empty, AT_FDCWD, "/dev")) return 1;  // no device is there to be shown
    struct stat before {}, after {};
    if (::stat("/sys/class", &before) != 0) return 2;
    FixedRoot root;
    if (root.Make() || root.made() || root.wanted()) return 3;
    if (::stat("/sys/class", &after) != 0 || after.st_dev != before.st_dev) return 4;
    return root.CopyFor(::getpid(), SingleId()).valid() ? 5 : 0;
  });
}

}  // namespace
}  // namespace writ::isolation::process

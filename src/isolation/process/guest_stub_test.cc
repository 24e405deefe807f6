#include "isolation/process/guest_stub.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "isolation/process/cell_setup.h"

namespace writ::isolation::process {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LookUp, FollowsPathAsAShellDoes) {
  EXPECT_THAT(LookUp("ls", {"PATH=/a:/b"}), ElementsAre("/a/ls", "/b/ls"));
  EXPECT_THAT(LookUp("./ls", {"PATH=/a"}), ElementsAre("./ls"));
  EXPECT_THAT(LookUp("/bin/ls", {}), ElementsAre("/bin/ls"));
  EXPECT_THAT(LookUp("ls", {}), IsEmpty());
  EXPECT_THAT(LookUp("", {"PATH=/a"}), IsEmpty());
  EXPECT_THAT(LookUp("ls", {"PATH=:/b"}), ElementsAre("./ls", "/b/ls"));  // POSIX: an empty entry is the working directory
}

/// What a child process makes of `body`: its exit status.
template <class Body>
int InChild(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(CloseAllBut, Attack04_LeavesOnlyWhatIsListed) {
  EXPECT_EQ(InChild([] {
              const int a = ::dup(0), b = ::dup(0), c = ::dup(0), d = ::dup(0);
              if (!CloseAllBut({c, -1, a})) return 1;
              return IsOpen(0) && IsOpen(a) && !IsOpen(b) && IsOpen(c) && !IsOpen(d) ? 0 : 2;
            }),
            0);
}

TEST(CloseAllBut, Attack04_SaysWhenItCannot) {
  EXPECT_EQ(InChild([] {
              sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
              const sock_fprog program{4, filter};
              if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 3;
              return CloseAllBut({::dup(0)}) ? 1 : 0;
            }),
            0);
}

}  // namespace
}  // namespace writ::isolation::process

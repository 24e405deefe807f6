// Attacks on the kernel from inside a cell: call tables, namespaces, mounts, dangerous subsystems.
#include "escape_for_test.h"

namespace writ::escape {
namespace {

using testing::AnyOf;
using testing::Eq;
using testing::StartsWith;

using KernelEscape = EscapeTest;

TEST_F(KernelEscape, Attack01_OtherCallTablesAndHighHalvesOfArguments) {
  const auto run = Run("compat_syscalls");
  ExpectAllRefused(run, 8);
#if defined(__x86_64__)
  // A kernel without 32-bit emulation faults on the instruction itself.
  EXPECT_THAT(run.Line("int80-getpid"), AnyOf(Eq("refused SIGSYS"), Eq("refused SIGSEGV")));
  EXPECT_EQ(run.Line("x32-getpid"), "refused SIGSYS");
  EXPECT_EQ(run.Line("x32-ioctl"), "refused SIGSYS");
#endif
  EXPECT_EQ(run.Line("tiocsti-high-bit"), "refused EPERM");
  EXPECT_EQ(run.Line("vsock-high-bit"), "refused EAFNOSUPPORT");
  EXPECT_EQ(run.Line("unknown-call"), "refused ENOSYS");
}

TEST_F(KernelEscape, Attack02_IoUring) {
  const auto run = Run("io_uring");
  ExpectAllRefused(run, 3);
  EXPECT_EQ(run.Line("io_uring_setup"), "refused ENOSYS");
}

TEST_F(KernelEscape, Attack03_Namespaces) {
  const auto run = Run("namespaces");
  ExpectAllRefused(run, 45);
  for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    EXPECT_EQ(run.Line(std::string("unshare-") + name), "refused EPERM");
    EXPECT_EQ(run.Line(std::string("clone-") + name), "refused EPERM");
    EXPECT_EQ(run.Line(std::string("clone3-") + name), "refused ENOSYS");
  }
}

TEST_F(KernelEscape, Attack03_MountsAndRoots) {
  const auto run = Run("mount_api");
  ExpectAllRefused(run, 20);
  EXPECT_EQ(run.Line("mount_setattr"), "refused EPERM");
  EXPECT_EQ(run.Line("open_tree-clone"), "refused EPERM");
  EXPECT_EQ(run.Line("open_by_handle_at"), "refused EPERM");
}

TEST_F(KernelEscape, Attack03_KeysProgramsInTheKernelAndTheMachine) {
  const auto run = Run("kernel_surface");
  ExpectAllRefused(run, 40);
  for (const char* name : {"keyctl-session", "add_key", "bpf-program", "userfaultfd", "perf_event_open", "syslog-read"})
    EXPECT_EQ(run.Line(name), "refused EPERM") << name;
}

}  // namespace
}  // namespace writ::escape

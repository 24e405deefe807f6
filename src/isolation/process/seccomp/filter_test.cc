// Asks the running kernel, under the embedded filters, for what a hostile program would ask.
#include "isolation/process/seccomp/filter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "isolation/process/seccomp/child_for_test.h"
#include "isolation/process/seccomp/interpret_for_test.h"

namespace writ::seccomp {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kAudit = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kAudit = AUDIT_ARCH_AARCH64;
#endif

struct Attempt {
  const char* name;
  long number;
  std::array<std::uint64_t, 4> arguments;
  int error;  ///< 0: allowed, whatever the kernel then says
};

/// The filter's own answer, so that a call is made only when it cannot harm the machine the test runs on.
std::uint32_t Ask(std::span<const sock_filter> filter, const Attempt& attempt) {
  seccomp_data data{};
  data.arch = kAudit;
  data.nr = static_cast<int>(attempt.number);
  for (std::size_t i = 0; i < attempt.arguments.size(); ++i) data.args[i] = attempt.arguments[i];
  return Interpret(filter, data).value_or(0);
}

void ExpectAnswers(std::span<const sock_filter> filter, const std::vector<Attempt>& attempts) {
  std::vector<const Attempt*> refused;
  for (const auto& attempt : attempts) {
    const std::uint32_t wanted =
        attempt.error == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(attempt.error);
    const std::uint32_t answer = Ask(filter, attempt);
    EXPECT_EQ(answer, wanted) << attempt.name << fmt::format(": filter answers {:#x}", answer);
    if (attempt.error != 0 && answer == wanted) refused.push_back(&attempt);
  }
  const auto end = RunUnder(filter, [&] {
    int wrong = 0;
    for (const Attempt* attempt : refused) {
      errno = 0;
      const auto& a = attempt->arguments;
      const long result = ::syscall(attempt->number, a[0], a[1], a[2], a[3]);
      if (result == -1 && errno == attempt->error) continue;
      ::dprintf(STDOUT_FILENO, "%s: result %ld, errno %d, expected %d\n", attempt->name, result, errno, attempt->error);
      ++wrong;
    }
    return wrong > 100 ? 100 : wrong;
  });
  EXPECT_EQ(end.exit_code, 0) << end.output;
}

constexpr std::uint64_t kHigh = 0x1'0000'0000ull;
constexpr std::uint64_t kAllHigh = 0xffff'ffff'0000'0000ull;

TEST(GuestFilter, Attack01_IoctlsAreComparedAsTheKernelTruncatesThem) {
  const std::uint64_t bad_fd = ~0ull;
  ExpectAnswers(GuestFilter(), {
      {"TIOCSTI", SYS_ioctl, {bad_fd, TIOCSTI}, EPERM},
      {"TIOCSTI with a high bit", SYS_ioctl, {bad_fd, TIOCSTI | kHigh}, EPERM},
      {"TIOCSTI with all high bits", SYS_ioctl, {bad_fd, TIOCSTI | kAllHigh}, EPERM},
      {"TIOCLINUX", SYS_ioctl, {bad_fd, TIOCLINUX}, EPERM},
      {"TIOCLINUX with a high bit", SYS_ioctl, {bad_fd, TIOCLINUX | kHigh}, EPERM},
      {"TIOCSETD", SYS_ioctl, {bad_fd, TIOCSETD | kHigh}, EPERM},
      {"TIOCCONS", SYS_ioctl, {bad_fd, TIOCCONS}, EPERM},
      {"TUNSETIFF", SYS_ioctl, {bad_fd, 0x400454ca}, ENOTTY},
      {"NS_GET_USERNS", SYS_ioctl, {bad_fd, 0xb701}, ENOTTY},
      {"KVM_CREATE_VM", SYS_ioctl, {bad_fd, 0xae01}, ENOTTY},
      {"FS_IOC_ADD_ENCRYPTION_KEY", SYS_ioctl, {bad_fd, 0xc0506617}, ENOTTY},
      {"TCGETS", SYS_ioctl, {bad_fd, TCGETS}, 0},
      {"TIOCGWINSZ", SYS_ioctl, {bad_fd, TIOCGWINSZ}, 0},
      {"TIOCSCTTY", SYS_ioctl, {bad_fd, TIOCSCTTY}, 0},
      {"FIONREAD", SYS_ioctl, {bad_fd, FIONREAD}, 0},
      {"SIOCGIFCONF", SYS_ioctl, {bad_fd, 0x8912}, 0},
  });
}

TEST(GuestFilter, Attack01_HighHalvesDoNotEvadeOtherArguments) {
  ExpectAnswers(GuestFilter(), {
      {"vsock with high bits", SYS_socket, {AF_VSOCK | kHigh, SOCK_STREAM}, EAFNOSUPPORT},
      {"raw with high bits", SYS_socket, {AF_INET | kAllHigh, SOCK_RAW | kHigh, IPPROTO_ICMP}, EPERM},
      {"tcp with high bits is tcp to the kernel", SYS_socket, {AF_INET | kHigh, SOCK_STREAM}, 0},
      {"clone new user with high bits", SYS_clone, {CLONE_NEWUSER | SIGCHLD | kHigh}, EPERM},
      {"PR_SET_MM with high bits", SYS_prctl, {PR_SET_MM | kHigh}, EPERM},
      {"device with high bits", SYS_mknodat, {0, 0, S_IFCHR | 0600 | kHigh}, EPERM},
      {"device beyond sixteen bits", SYS_mknodat, {0, 0, S_IFBLK | 0600 | 0x10000}, EPERM},
      {"personality with high bits asks for the default", SYS_personality, {kHigh}, 0},
      {"unshare looks at all 64 bits", SYS_unshare, {CLONE_FS | kHigh}, EPERM},
  });
}

int KilledBy(const std::function<int()>& body) { return RunUnder(GuestFilter(), body).signal; }

#if defined(__x86_64__)
TEST(GuestFilter, Attack01_Int0x80EndsTheProcess) {
  for (const auto& filter : {GuestFilter(), ClientFilter()}) {
    const auto end = RunUnder(filter, [] {
      long result = 20;  // getpid of the i386 table
      asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
      return 0;
    });
    // A kernel without 32-bit emulation has no such gate: the instruction itself faults.
    EXPECT_TRUE(end.signal == SIGSYS || end.signal == SIGSEGV) << "signal " << end.signal << " exit " << end.exit_code;
  }
}

TEST(GuestFilter, Attack01_X32NumbersEndTheProcess) {
  for (const long number : {0x40000000L + SYS_getpid, 0x40000000L + 520 /* x32 execve */, 0x40000000L + 514}) {
    EXPECT_EQ(KilledBy([=] { return ::syscall(number, 0, 0, 0) == -1 ? 1 : 0; }), SIGSYS) << number;
  }
}
#endif

TEST(GuestFilter, UnknownNumbersLookLikeAnOldKernel) {
  ExpectAnswers(GuestFilter(), {
      {"no call", -1, {}, ENOSYS},
      {"a future call", 500, {}, ENOSYS},
      {"statmount", 457, {}, ENOSYS},
      {"listmount", 458, {}, ENOSYS},
      {"cachestat", 451, {}, ENOSYS},
  });
}

TEST(GuestFilter, Attack02_IoUringIsRefused) {
  ExpectAnswers(GuestFilter(), {
      {"io_uring_setup", SYS_io_uring_setup, {8}, ENOSYS},
      {"io_uring_enter", SYS_io_uring_enter, {~0ull}, ENOSYS},
      {"io_uring_register", SYS_io_uring_register, {~0ull}, ENOSYS},
  });
}

TEST(GuestFilter, Attack03_NamespacesAndMountsAreRefused) {
  std::vector<Attempt> attempts{
      {"clone3", SYS_clone3, {0, 88}, ENOSYS},
      {"setns", SYS_setns, {~0ull}, EPERM},
      {"mount", SYS_mount, {}, EPERM},
      {"umount2", SYS_umount2, {}, EPERM},
      {"pivot_root", SYS_pivot_root, {}, EPERM},
      {"chroot", SYS_chroot, {}, EPERM},
      {"fsopen", SYS_fsopen, {}, EPERM},
      {"fsconfig", SYS_fsconfig, {~0ull}, EPERM},
      {"fsmount", SYS_fsmount, {~0ull}, EPERM},
      {"fspick", SYS_fspick, {~0ull}, EPERM},
      {"move_mount", SYS_move_mount, {~0ull}, EPERM},
      {"open_tree", SYS_open_tree, {~0ull}, EPERM},
      {"mount_setattr", SYS_mount_setattr, {~0ull}, EPERM},
      {"open_by_handle_at", SYS_open_by_handle_at, {~0ull}, EPERM},
      {"name_to_handle_at", SYS_name_to_handle_at, {~0ull}, EPERM},
      {"unshare files", SYS_unshare, {CLONE_FILES}, 0},
      {"unshare time", SYS_unshare, {0x80}, EPERM},
  };
  for (const std::uint64_t flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
                                   CLONE_NEWCGROUP}) {
    attempts.push_back({"clone with a namespace", SYS_clone, {flag | SIGCHLD}, EPERM});
    attempts.push_back({"unshare a namespace", SYS_unshare, {flag}, EPERM});
    attempts.push_back({"unshare a namespace and files", SYS_unshare, {flag | CLONE_FILES}, EPERM});
  }
  ExpectAnswers(GuestFilter(), attempts);
}

TEST(GuestFilter, Attack03_OtherProcessesKeysAndKernelAreRefused) {
  ExpectAnswers(GuestFilter(), {
      {"ptrace", SYS_ptrace, {}, EPERM},
      {"process_vm_readv", SYS_process_vm_readv, {}, EPERM},
      {"process_vm_writev", SYS_process_vm_writev, {}, EPERM},
      {"process_madvise", SYS_process_madvise, {~0ull}, EPERM},
      {"pidfd_getfd", SYS_pidfd_getfd, {~0ull}, EPERM},
      {"kcmp", SYS_kcmp, {}, EPERM},
      {"add_key", SYS_add_key, {}, EPERM},
      {"request_key", SYS_request_key, {}, EPERM},
      {"keyctl", SYS_keyctl, {}, EPERM},
      {"bpf", SYS_bpf, {}, EPERM},
      {"perf_event_open", SYS_perf_event_open, {}, EPERM},
      {"userfaultfd", SYS_userfaultfd, {}, EPERM},
      {"kexec_load", SYS_kexec_load, {}, EPERM},
      {"init_module", SYS_init_module, {}, EPERM},
      {"finit_module", SYS_finit_module, {~0ull}, EPERM},
      {"delete_module", SYS_delete_module, {}, EPERM},
      {"swapon", SYS_swapon, {}, EPERM},
      {"reboot", SYS_reboot, {}, EPERM},
      {"quotactl", SYS_quotactl, {}, EPERM},
      {"settimeofday", SYS_settimeofday, {}, EPERM},
      {"clock_settime", SYS_clock_settime, {}, EPERM},
      {"adjtimex", SYS_adjtimex, {}, EPERM},
      {"syslog", SYS_syslog, {3}, EPERM},
      {"fanotify_init", SYS_fanotify_init, {}, EPERM},
      {"personality with executable data", SYS_personality, {0x400000}, EPERM},
      {"personality with page zero", SYS_personality, {0x100000}, EPERM},
      {"personality of SVR4", SYS_personality, {1}, EPERM},
      {"PR_SET_MM", SYS_prctl, {PR_SET_MM, 1}, EPERM},
      {"PR_SET_MEMORY_MERGE", SYS_prctl, {67, 1}, EPERM},
      {"an unknown prctl", SYS_prctl, {9999}, EINVAL},
  });
}

TEST(GuestFilter, Attack24_OnlyConfinedSocketFamilies) {
  ExpectAnswers(GuestFilter(), {
      {"unix stream", SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}, 0},
      {"unix seqpacket", SYS_socket, {AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK}, 0},
      {"tcp", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP}, 0},
      {"udp 6", SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0}, 0},
      {"netlink route", SYS_socket, {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0}, 0},
      {"netlink netfilter", SYS_socket, {AF_NETLINK, SOCK_RAW, 12}, EPROTONOSUPPORT},
      {"netlink audit", SYS_socket, {AF_NETLINK, SOCK_RAW, 9}, EPROTONOSUPPORT},
      {"netlink generic", SYS_socket, {AF_NETLINK, SOCK_DGRAM, 16}, EPROTONOSUPPORT},
      {"raw", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_ICMP}, EPERM},
      {"raw with flags", SYS_socket, {AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 58}, EPERM},
      {"old packet socket", SYS_socket, {AF_INET, SOCK_PACKET, 0x300}, EPROTONOSUPPORT},
      {"ping", SYS_socket, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}, EPROTONOSUPPORT},
      {"sctp", SYS_socket, {AF_INET, SOCK_STREAM, 132}, EPROTONOSUPPORT},
      {"mptcp", SYS_socket, {AF_INET6, SOCK_STREAM, 262}, EPROTONOSUPPORT},
      {"vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM}, EAFNOSUPPORT},
      {"packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0x300}, EAFNOSUPPORT},
      {"alg", SYS_socket, {AF_ALG, SOCK_SEQPACKET}, EAFNOSUPPORT},
      {"bluetooth", SYS_socket, {AF_BLUETOOTH, SOCK_RAW}, EAFNOSUPPORT},
      {"tipc", SYS_socket, {AF_TIPC, SOCK_STREAM}, EAFNOSUPPORT},
      {"xdp", SYS_socket, {AF_XDP, SOCK_RAW}, EAFNOSUPPORT},
      {"tipc pair", SYS_socketpair, {AF_TIPC, SOCK_STREAM}, EOPNOTSUPP},
      {"tls below tcp", SYS_setsockopt, {~0ull, IPPROTO_TCP, TCP_ULP}, ENOPROTOOPT},
  });
}

TEST(GuestFilter, Attack29_SpecialFilesAreRefused) {
  ExpectAnswers(GuestFilter(), {
      {"character device", SYS_mknodat, {0, 0, S_IFCHR | 0600}, EPERM},
      {"block device", SYS_mknodat, {0, 0, S_IFBLK | 0600}, EPERM},
      {"pipe", SYS_mknodat, {0, 0, S_IFIFO | 0600}, 0},
      {"socket", SYS_mknodat, {0, 0, S_IFSOCK | 0600}, 0},
  });
  const auto end = RunUnder(GuestFilter(), [] {
    return ::renameat2(-1, "a", -1, "b", RENAME_WHITEOUT) == -1 && errno == EINVAL ? 0 : 1;
  });
  EXPECT_EQ(end.exit_code, 0);
}

TEST(GuestFilter, SyncSucceedsWithoutFlushingTheHost) {
  const auto end = RunUnder(GuestFilter(), [] {
    ::sync();
    return ::syncfs(-1) == 0 ? 0 : 1;  // even a bad descriptor is not looked at
  });
  EXPECT_EQ(end.exit_code, 0);
}

TEST(ClientFilter, StartsNothingAndReachesNobody) {
  ExpectAnswers(ClientFilter(), {
      {"execve", SYS_execve, {}, EPERM},
      {"execveat", SYS_execveat, {~0ull}, EPERM},
      {"a process", SYS_clone, {SIGCHLD}, EPERM},
      {"a namespace", SYS_clone, {CLONE_NEWUSER | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND}, EPERM},
      {"a thread", SYS_clone, {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD}, 0},
      {"unshare", SYS_unshare, {CLONE_FILES}, EPERM},
      {"setns", SYS_setns, {~0ull}, EPERM},
      {"mount", SYS_mount, {}, EPERM},
      {"ptrace", SYS_ptrace, {}, EPERM},
      {"process_vm_readv", SYS_process_vm_readv, {}, EPERM},
      {"tcp", SYS_socket, {AF_INET, SOCK_STREAM}, EAFNOSUPPORT},
      {"netlink", SYS_socket, {AF_NETLINK, SOCK_RAW}, EAFNOSUPPORT},
      {"vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM}, EAFNOSUPPORT},
      {"unix", SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}, 0},
      {"writable code", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}, EPERM},
      {"a shared object", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE}, 0},
      {"memory into code", SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}, EPERM},
      {"dumpable on", SYS_prctl, {PR_SET_DUMPABLE, 1}, EINVAL},
      {"dumpable off", SYS_prctl, {PR_SET_DUMPABLE, 0}, 0},
      {"TIOCSTI", SYS_ioctl, {~0ull, TIOCSTI | kHigh}, ENOTTY},
      {"io_uring_setup", SYS_io_uring_setup, {8}, ENOSYS},
      {"setuid", SYS_setuid, {}, ENOSYS},
      {"a device", SYS_mknodat, {0, 0, S_IFIFO}, EPERM},
  });
}

TEST(NetworkClientFilter, OpensConnectionsAndIsOtherwiseTheSame) {
  ExpectAnswers(NetworkClientFilter(), {
      {"tcp", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}, 0},
      {"tcp 6", SYS_socket, {AF_INET6, SOCK_STREAM | SOCK_NONBLOCK}, 0},
      {"name server", SYS_socket, {AF_INET, SOCK_DGRAM}, 0},
      {"raw", SYS_socket, {AF_INET, SOCK_RAW}, EAFNOSUPPORT},
      {"netlink", SYS_socket, {AF_NETLINK, SOCK_RAW}, EAFNOSUPPORT},
      {"vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM}, EAFNOSUPPORT},
      {"unix", SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}, 0},
      {"many questions", SYS_recvmmsg, {}, 0},
      {"many answers", SYS_sendmmsg, {}, 0},
      {"execve", SYS_execve, {}, EPERM},
      {"a process", SYS_clone, {SIGCHLD}, EPERM},
      {"ptrace", SYS_ptrace, {}, EPERM},
  });
}

TEST(ClientFilter, ThreadsFilesAndTerminalsWork) {
  const auto end = RunUnder(ClientFilter(), [] {
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, [](void* argument) { return argument; }, nullptr) != 0) return 1;
    if (::pthread_join(thread, nullptr) != 0) return 2;
    const int file = ::memfd_create("store", MFD_CLOEXEC);
    if (file < 0 || ::ftruncate(file, 4096) != 0 || ::fsync(file) != 0) return 3;
    if (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED) return 4;
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return 5;
    if (::isatty(file) != 0 || errno != ENOTTY) return 6;
    return 0;
  });
  EXPECT_EQ(end.exit_code, 0) << end.output << "signal " << end.signal;
}

TEST(InstallFilter, NeedsNoNewPrivilegesOrSaysSo) {
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) GTEST_SKIP() << "the test itself runs with no_new_privs";
  if (::geteuid() == 0) {
    // A capability stands in for the flag, so the kernel cannot complain; a child without it can.
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
      const auto installed = InstallFilter(GuestFilter());
      ::_exit(!installed && installed.error().code == Code::kDenied ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    return;
  }
  const auto installed = InstallFilter(GuestFilter());
  ASSERT_FALSE(installed);
  EXPECT_EQ(installed.error().code, Code::kDenied);
}

TEST(InstallFilter, RefusesEmptyAndMalformedPrograms) {
  EXPECT_EQ(InstallFilter({}).error().code, Code::kInvalid);
  const std::vector<sock_filter> huge(BPF_MAXINSNS + 1);
  EXPECT_EQ(InstallFilter(huge).error().code, Code::kInvalid);
}

TEST(InstallFilter, ConfinesThreadsThatRunAlready) {
  const auto end = RunUnder(GuestFilter(), [] {
    static int ends[2];
    static long seen = 0;
    if (::pipe(ends) != 0) return 1;
    pthread_t thread;
    const auto body = [](void*) -> void* {
      char byte;
      if (::read(ends[0], &byte, 1) == 1) seen = ::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) == -1 ? errno : -1;
      return nullptr;
    };
    if (::pthread_create(&thread, nullptr, body, nullptr) != 0) return 2;
    if (!InstallFilter(ClientFilter())) return 3;
    if (::write(ends[1], "x", 1) != 1) return 4;
    ::pthread_join(thread, nullptr);
    return seen == EAFNOSUPPORT ? 0 : 5;
  });
  EXPECT_EQ(end.exit_code, 0) << end.output;
}

}  // namespace
}  // namespace writ::seccomp

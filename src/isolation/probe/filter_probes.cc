#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"

namespace writ::isolation {
namespace {

constexpr int kMark = EXDEV;  // an errno that getppid never gives

/// Refuses getppid with `action`, allows the rest.
bool InstallFilter(unsigned action) {
  std::array<sock_filter, 4> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &filter) == 0;
}

Finding TryNoNewPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return Finding::Missing("prctl: " + ErrnoText(errno), "a kernel from 3.5 on; without it the process tier is refused");
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
    return Finding::Missing("set, but not kept", "the process tier is refused");
  return Finding::Ok("set and kept");
}

Finding TrySeccomp() {
  const std::string fix = "a kernel with CONFIG_SECCOMP_FILTER; in a container, a profile that allows seccomp(2); "
                          "without it the process tier is refused";
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Finding::Missing("no_new_privs: " + ErrnoText(errno), fix);
  if (!InstallFilter(SECCOMP_RET_ERRNO | kMark)) return Finding::Missing("seccomp: " + ErrnoText(errno), fix);
  errno = 0;
  if (::syscall(SYS_getppid) != -1 || errno != kMark)
    return Finding::Missing("a filter was installed, but a call it refuses went through", fix);
  const int status = RunStep([] {
    if (!InstallFilter(SECCOMP_RET_KILL_PROCESS)) return 1;
    ::syscall(SYS_getppid);
    return 2;
  });
  if (status != 128 + SIGSYS) return Finding::Missing("a call that kills by filter did not", fix);
  return Finding::Ok("refuses and kills");
}

Finding TryLandlock() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) {
    const int failure = errno;
    return Finding::Missing("landlock_create_ruleset: " + ErrnoText(failure),
                            failure == EOPNOTSUPP
                                ? "boot with landlock in the list of lsm= (it is built in); an extra layer, the "
                                  "process tier works without it"
                                : "a kernel with CONFIG_SECURITY_LANDLOCK; an extra layer, the process tier works "
                                  "without it");
  }
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE;
  const sys::UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0U)));
  const char* without = "an extra layer, the process tier works without it";
  if (!rules.valid()) return Finding::Missing("landlock_create_ruleset: " + ErrnoText(errno), without);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::syscall(SYS_landlock_restrict_self, rules.get(), 0U) != 0)
    return Finding::Missing("landlock_restrict_self: " + ErrnoText(errno), without);
  const sys::UniqueFd file(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  if (file.valid() || errno != EACCES) return Finding::Missing("restricted, but a file could still be read", without);
  return Finding::Ok("ABI " + std::to_string(abi));
}

Finding TryKeyring() {
  const long joined = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  if (joined < 0) {
    const int failure = errno;
    if (failure == ENOSYS) return Finding::Ok("the kernel has no keyrings to share");
    return Finding::Missing("keyctl: " + ErrnoText(failure),
                            "allow keyctl in the container's profile; without it the filter alone keeps keys away");
  }
  return Finding::Ok("a session keyring of its own");
}

}  // namespace

void AddFilterProbes(std::vector<ProbeSpec>& specs) {
  specs.emplace_back("no_new_privs", TryNoNewPrivileges);
  specs.emplace_back("seccomp", TrySeccomp);
  specs.emplace_back("landlock", TryLandlock);
  specs.emplace_back("keyring", TryKeyring);
}

}  // namespace writ::isolation

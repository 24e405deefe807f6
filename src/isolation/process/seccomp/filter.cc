#include "isolation/process/seccomp/filter.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "writ_seccomp_programs.h"

namespace writ::seccomp {

std::span<const sock_filter> GuestFilter() { return generated::kGuest; }
std::span<const sock_filter> ClientFilter() { return generated::kClient; }
std::span<const sock_filter> NetworkClientFilter() { return generated::kNetworkClient; }

Result<> InstallFilter(std::span<const sock_filter> program) {
  if (program.empty() || program.size() > BPF_MAXINSNS) {
    return Fail(Code::kInvalid, "seccomp filter of {} instructions is not in 1..{}", program.size(), BPF_MAXINSNS);
  }
  // The kernel copies the program and does not write to it; the structure just predates const.
  const sock_fprog argument{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  const long answer = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &argument);
  if (answer > 0) return Fail(Code::kUnavailable, "seccomp: thread {} runs under another filter", answer);
  if (answer < 0) {
    if (errno == EACCES) return Fail(Code::kDenied, "seccomp: no_new_privs is not set");
    if (errno == EINVAL) return Fail(Code::kUnavailable, "seccomp: this kernel has no filters, or refuses this one");
    return FailErrno("seccomp");
  }
  return {};
}

}  // namespace writ::seccomp

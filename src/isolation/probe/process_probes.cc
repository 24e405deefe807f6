#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"

namespace writ::isolation {
namespace {

Finding TryPidfd() {
  const std::string fix = "a kernel from 5.4 on, or a container profile that allows pidfd calls; without it the process "
                          "tier is refused";
  const pid_t pid = ::fork();
  if (pid < 0) return Finding::Missing("fork: " + ErrnoText(errno), fix);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
  const auto give_up = [&](const char* call) {
    const std::string why = std::string(call) + ": " + ErrnoText(errno);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return Finding::Missing(why, fix);
  };
  const sys::UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!fd.valid()) return give_up("pidfd_open");
  if (::syscall(SYS_pidfd_send_signal, fd.get(), SIGKILL, nullptr, 0U) != 0) return give_up("pidfd_send_signal");
  pollfd waiting{fd.get(), POLLIN, 0};
  if (::poll(&waiting, 1, -1) != 1) return give_up("poll");
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(fd.get()), &info, WEXITED) != 0) return give_up("waitid");
  return info.si_status == SIGKILL ? Finding::Ok("open, signal, wait") : Finding::Missing("the signal was lost", fix);
}

Finding TryOpenat2() {
  const std::string fix = "a kernel from 5.6 on, or a container profile that allows openat2; without it the process tier "
                          "is refused";
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH;
  const sys::UniqueFd root(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const sys::UniqueFd inside(static_cast<int>(::syscall(SYS_openat2, root.get(), "self", &how, sizeof how)));
  if (!inside.valid()) return Finding::Missing("openat2: " + ErrnoText(errno), fix);
  const sys::UniqueFd outside(static_cast<int>(::syscall(SYS_openat2, root.get(), "..", &how, sizeof how)));
  if (outside.valid() || errno != EXDEV) return Finding::Missing("a path left the directory it must stay below", fix);
  return Finding::Ok("paths stay beneath");
}

/// The guest's first program is started from memory, so that no path leads back to a file of the host.
Finding TrySealedMemory() {
  const std::string fix = "sysctl -w vm.memfd_noexec=0 where it is higher; without it the process tier is refused";
  const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const sys::UniqueFd fd(::memfd_create("writ-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return Finding::Missing("memfd_create: " + ErrnoText(errno), fix);
  const sys::UniqueFd program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  char head[64];
  if (::read(program.get(), head, sizeof head) != sizeof head || ::write(fd.get(), head, sizeof head) != sizeof head)
    return Finding::Missing("copy: " + ErrnoText(errno), fix);
  if (::fcntl(fd.get(), F_ADD_SEALS, seals) != 0) return Finding::Missing("seal: " + ErrnoText(errno), fix);
  if (::write(fd.get(), head, 1) != -1 || errno != EPERM) return Finding::Missing("a sealed file could be written", fix);
  // 64 bytes of a program are no program: being executable is what is asked, ENOEXEC or a death is the good answer.
  const int status = RunStep([&] {
    char* none[] = {nullptr};
    ::syscall(SYS_execveat, fd.get(), "", none, none, AT_EMPTY_PATH);
    return errno == EACCES || errno == EPERM || errno == ENOSYS ? errno : 0;
  });
  if (status > 0 && status < 128) return Finding::Missing("execute from memory: " + ErrnoText(status), fix);
  return Finding::Ok("sealed and executable");
}

Finding TryRlimits() {
  const std::string fix = "a kernel whose rlimits hold; --accept memory=rlimit and pids=rlimit do not work without";
  const rlimit space{256u << 20, 256u << 20}, files{32, 32};
  const int status = RunStep([&] {
    if (::setrlimit(RLIMIT_AS, &space) != 0 || ::setrlimit(RLIMIT_NOFILE, &files) != 0) return 1;
    if (::mmap(nullptr, 1u << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) return 2;
    // Descriptor 3 is the answer socket of every probe.
    return ::fcntl(3, F_DUPFD_CLOEXEC, 100) == -1 && errno == EINVAL ? 0 : 3;
  });
  switch (status) {
    case 0: return Finding::Ok("address space and files are refused over the limit");
    case 1: return Finding::Missing("setrlimit refused", fix);
    default: return Finding::Missing("a limit did not hold (step " + std::to_string(status) + ")", fix);
  }
}

Finding TryClocks() {
  const std::string fix = "working CLOCK_MONOTONIC and timerfd; without them no time limit can be kept";
  timespec before, after, boot;
  if (::clock_gettime(CLOCK_MONOTONIC, &before) != 0 || ::clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
    return Finding::Missing("clock_gettime: " + ErrnoText(errno), fix);
  const sys::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  if (!timer.valid()) return Finding::Missing("timerfd_create: " + ErrnoText(errno), fix);
  itimerspec in{};
  in.it_value.tv_nsec = 1'000'000;
  if (::timerfd_settime(timer.get(), 0, &in, nullptr) != 0)
    return Finding::Missing("timerfd_settime: " + ErrnoText(errno), fix);
  pollfd waiting{timer.get(), POLLIN, 0};
  if (::poll(&waiting, 1, 1000) != 1) return Finding::Missing("a timer of 1 ms did not fire in 1 s", fix);
  ::clock_gettime(CLOCK_MONOTONIC, &after);
  const long long passed =
      (after.tv_sec - before.tv_sec) * 1'000'000'000LL + (after.tv_nsec - before.tv_nsec);
  if (passed < 1'000'000) return Finding::Missing("a timer fired before its time", fix);
  std::string source = ReadSmall("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  while (!source.empty() && source.back() == '\n') source.pop_back();
  return Finding::Ok("monotonic, boot time and timers" + (source.empty() ? "" : "; source " + source));
}

}  // namespace

void AddProcessProbes(std::vector<ProbeSpec>& specs) {
  specs.emplace_back("pidfd", TryPidfd);
  specs.emplace_back("openat2", TryOpenat2);
  specs.emplace_back("memfd.exec", TrySealedMemory);
  specs.emplace_back("rlimit", TryRlimits);
  specs.emplace_back("clock", TryClocks);
}

}  // namespace writ::isolation

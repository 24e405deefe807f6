#include "isolation/process/guest_exec.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "isolation/process/identity.h"

namespace writ::isolation::process {
namespace {

/// Written by the child, read by PID 1, in memory that both see.
struct Report {
  int error = 0;
  const char* step = nullptr;
};

struct Child {
  const GuestExec* exec;
  Report* report;
};

[[noreturn]] void Fail(Report* report, const char* step) {
  report->error = errno;
  report->step = step;
  ::_exit(127);
}

void SetLimit(Report* report, int resource, rlim_t value, const char* step, rlim_t grace = 0) {
  const rlimit limit{value, value + grace};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) Fail(report, step);
}

void LimitResources(const GuestExec& exec, Report* report) {
  SetLimit(report, RLIMIT_NOFILE, exec.open_files, "limit open files");
  // 1 and not 0: with 0 the kernel still starts the host's core_pattern handler, with 1 it does not (core(5)).
  SetLimit(report, RLIMIT_CORE, 1, "forbid core dumps");
  SetLimit(report, RLIMIT_MEMLOCK, 64 << 10, "limit locked memory");
  SetLimit(report, RLIMIT_MSGQUEUE, 64 << 10, "limit message queues");
  SetLimit(report, RLIMIT_RTPRIO, 0, "forbid realtime priority");
  if (exec.address_space_bytes != 0) SetLimit(report, RLIMIT_AS, exec.address_space_bytes, "limit address space");
  if (exec.cpu_seconds != 0) SetLimit(report, RLIMIT_CPU, exec.cpu_seconds, "limit cpu seconds", 1);  // SIGXCPU, then SIGKILL
  if (exec.processes != 0) SetLimit(report, RLIMIT_NPROC, exec.processes, "limit processes");
  if (exec.cpu_count != 0) {
    cpu_set_t allowed, chosen;
    CPU_ZERO(&chosen);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) Fail(report, "read cpu affinity");
    std::uint32_t count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && count < exec.cpu_count; ++cpu)
      if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &chosen), ++count;
    if (::sched_setaffinity(0, sizeof chosen, &chosen) != 0) Fail(report, "pin to cpus");
  }
}

void DropPrivilege(const GuestExec& exec, Report* report) {
  if (exec.whole_range) {
    // The raw calls: libc's wrappers would signal threads that do not exist in a child sharing memory.
    if (::syscall(SYS_setgroups, 0, nullptr) != 0) Fail(report, "drop groups");
    if (::syscall(SYS_setresgid, kGuestId, kGuestId, kGuestId) != 0) Fail(report, "become the guest's group");
    if (::syscall(SYS_setresuid, kGuestId, kGuestId, kGuestId) != 0) Fail(report, "become the guest's user");
  }
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) Fail(report, "clear ambient capabilities");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) Fail(report, "drop capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail(report, "set no_new_privs");
}

void ConnectStreams(const GuestExec& exec, Report* report) {
  if (::setsid() < 0) Fail(report, "start a session");
  int in = exec.stdin_fd, out = exec.stdout_fd, err = exec.stderr_fd;
  if (exec.terminal_fd >= 0) {
    if (::ioctl(exec.terminal_fd, TIOCSCTTY, 0) != 0) Fail(report, "take the terminal");
    in = out = err = exec.terminal_fd;
  }
  // All of them are above 2 (PID 1 keeps 0-2 open on /dev/null), so no copy overwrites a later source.
  if (::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) Fail(report, "connect standard streams");
}

void ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Makes the guest the kernel's first choice when the cell's memory is used up, so that PID 1 lives to tell.
void VolunteerForOutOfMemory() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t wrote = ::write(fd, "500", 3);
  ::close(fd);
}

int RunChild(void* argument) {
  const Child& child = *static_cast<Child*>(argument);
  const GuestExec& exec = *child.exec;
  Report* report = child.report;
  ConnectStreams(exec, report);
  VolunteerForOutOfMemory();
  LimitResources(exec, report);
  DropPrivilege(exec, report);
  if (::chdir(exec.cwd) != 0) Fail(report, "enter the working directory");
  ResetSignals();
  if (exec.landlock_fd >= 0 && ::syscall(SYS_landlock_restrict_self, exec.landlock_fd, 0) != 0)
    Fail(report, "restrict with Landlock");
  if (::syscall(SYS_close_range, 3u, ~0u, 0u) != 0) Fail(report, "close descriptors");
  const sock_fprog program{static_cast<unsigned short>(exec.filter.size()), const_cast<sock_filter*>(exec.filter.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &program) != 0) Fail(report, "install the system call filter");
  int error = ENOENT;
  for (const std::string& path : exec.candidates) {
    ::execve(path.c_str(), const_cast<char**>(exec.argv.data()), const_cast<char**>(exec.env.data()));
    if (errno != ENOENT && errno != ENOTDIR) {
      error = errno;
      if (errno != EACCES) break;  // as execvp(3): keep looking only past what may not be executed
    }
  }
  report->error = error;
  ::_exit(127);
}

}  // namespace

std::vector<std::string> LookUp(const std::string& name, const std::vector<std::string>& env) {
  if (name.empty()) return {};
  if (name.find('/') != std::string::npos) return {name};
  std::string_view path;
  for (const std::string& entry : env)
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  std::vector<std::string> candidates;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    const std::string_view directory = path.substr(0, end);
    candidates.push_back((directory.empty() ? "." : std::string(directory)) + "/" + name);
    path.remove_prefix(std::min(path.size(), end + 1));
  }
  return candidates;
}

Result<Spawned> SpawnGuest(const GuestExec& exec) {
  constexpr std::size_t kStackBytes = 64 << 10;
  // One shared mapping: the report, then the child's stack.
  void* memory = ::mmap(nullptr, 4096 + kStackBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return FailErrno("map the child's stack");
  auto* report = new (memory) Report{};
  Child child{&exec, report};
  char* stack_top = static_cast<char*>(memory) + 4096 + kStackBytes;
  // The child shares memory until it executes: no page tables are copied. Kernels that do not let a child in a new
  // time namespace share memory answer EINVAL; there the child gets a copy.
  int pid = ::clone(RunChild, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
  if (pid < 0 && errno == EINVAL) pid = ::clone(RunChild, stack_top, CLONE_VFORK | SIGCHLD, &child);
  const int clone_errno = errno;
  const Spawned spawned{pid, report->error, report->step};
  ::munmap(memory, 4096 + kStackBytes);
  errno = clone_errno;
  if (pid < 0) return FailErrno("fork the guest");
  if (spawned.exec_errno != 0) ::waitpid(pid, nullptr, 0);
  return spawned;
}

}  // namespace writ::isolation::process

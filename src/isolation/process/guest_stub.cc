#include "isolation/process/guest_stub.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "isolation/process/cell_setup.h"
#include "isolation/process/identity.h"
#include "isolation/process/messages.h"
#include "isolation/process/seccomp/filter.h"
#include "sys/placement.h"
#include "sys/socket.h"

namespace writ::isolation::process {
namespace {

// ---- in the stub ----

Result<> SetLimit(int resource, rlim_t value, const char* step, rlim_t grace = 0) {
  const rlimit limit{value, value + grace};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return FailErrno(step);
  return {};
}

Result<> DropPrivilege(bool switch_ids) {
  if (switch_ids) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0) return FailErrno("drop groups");
    if (::syscall(SYS_setresgid, kGuestId, kGuestId, kGuestId) != 0) return FailErrno("become the guest's group");
    if (::syscall(SYS_setresuid, kGuestId, kGuestId, kGuestId) != 0) return FailErrno("become the guest's user");
  }
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return FailErrno("clear ambient capabilities");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return FailErrno("drop capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return FailErrno("set no_new_privs");
  return {};
}

void ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Everything that is the same for every launch.
Result<> Confine(bool switch_ids) {
  if (::setsid() < 0) return FailErrno("start a session");
  // 1 and not 0: with 0 the kernel still starts the host's core_pattern handler, with 1 it does not (core(5)).
  WRIT_TRY("limits", SetLimit(RLIMIT_CORE, 1, "forbid core dumps"));
  WRIT_TRY("limits", SetLimit(RLIMIT_MEMLOCK, 64 << 10, "limit locked memory"));
  WRIT_TRY("limits", SetLimit(RLIMIT_MSGQUEUE, 64 << 10, "limit message queues"));
  WRIT_TRY("limits", SetLimit(RLIMIT_RTPRIO, 0, "forbid realtime priority"));
  WRIT_TRY("privilege", DropPrivilege(switch_ids));
  ResetSignals();
  return seccomp::InstallFilter(seccomp::GuestFilter());
}

Result<> LimitResources(const GuestExec& exec) {
  WRIT_TRY("limits", SetLimit(RLIMIT_NOFILE, exec.open_files, "limit open files"));
  if (exec.address_space_bytes != 0) WRIT_TRY("limits", SetLimit(RLIMIT_AS, exec.address_space_bytes, "limit address space"));
  // One second between SIGXCPU, which names the cause, and SIGKILL.
  if (exec.cpu_seconds != 0) WRIT_TRY("limits", SetLimit(RLIMIT_CPU, exec.cpu_seconds, "limit cpu seconds", 1));
  if (exec.processes != 0) WRIT_TRY("limits", SetLimit(RLIMIT_NPROC, exec.processes, "limit processes"));
  if (exec.cpu_count == 0) return {};
  cpu_set_t allowed, chosen;
  CPU_ZERO(&chosen);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return FailErrno("read cpu affinity");
  std::uint32_t count = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && count < exec.cpu_count; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &chosen), ++count;
  if (::sched_setaffinity(0, sizeof chosen, &chosen) != 0) return FailErrno("pin to cpus");
  return {};
}

Result<> ConnectStreams(const GuestExec& exec) {
  int in = exec.stdin_fd, out = exec.stdout_fd, err = exec.stderr_fd;
  if (exec.terminal_fd >= 0) {
    if (::ioctl(exec.terminal_fd, TIOCSCTTY, 0) != 0) return FailErrno("take the terminal");
    in = out = err = exec.terminal_fd;
  }
  // All of them are above 2 (0-2 are open on /dev/null), so no copy overwrites a later source.
  if (::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) return FailErrno("connect standard streams");
  return {};
}

/// Tries the candidates; returns the reason why none could be executed.
int Execute(const LaunchBody& body) {
  std::vector<char*> argv, env;
  for (const std::string& argument : body.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& entry : body.env) env.push_back(const_cast<char*>(entry.c_str()));
  argv.push_back(nullptr);
  env.push_back(nullptr);
  int error = ENOENT;
  for (const std::string& path : LookUp(body.argv[0], body.env)) {
    ::execve(path.c_str(), argv.data(), env.data());
    if (errno == ENOENT || errno == ENOTDIR) continue;
    error = errno;
    if (errno != EACCES) break;  // as execvp(3): keep looking only past what may not be executed
  }
  return error;
}

void EncodeExec(WireWriter& out, const GuestExec& exec) {
  out.U32(exec.terminal_fd >= 0).U32(exec.landlock_fd >= 0).U32(exec.open_files).U64(exec.address_space_bytes);
  out.U64(exec.cpu_seconds).U32(exec.processes).U32(exec.cpu_count);
}

/// Runs what PID 1 sends. Only returns when nothing was executed: the reason for PID 1.
Result<int> Follow(const sys::UniqueFd& socket, const sys::Processors& processors) {
  auto message = WRIT_TRY("hear from PID 1", sys::ReceiveMessage(socket, kMessageBytesMax, Deadline::Never()));
  if (message.end) ::_exit(0);
  processors.GiveBack();
  WireReader in(message.bytes);
  GuestExec exec;
  const bool terminal = in.U32() != 0, landlock = in.U32() != 0;
  exec.open_files = in.U32();
  exec.address_space_bytes = in.U64();
  exec.cpu_seconds = in.U64();
  exec.processes = in.U32();
  exec.cpu_count = in.U32();
  WRIT_TRY("launch", in.Done());
  std::size_t next = 0;
  const auto take = [&] { return next < message.fds.size() ? message.fds[next++].get() : -1; };
  exec.body = take();
  if (terminal) {
    exec.terminal_fd = take();
  } else {
    exec.stdin_fd = take();
    exec.stdout_fd = take();
    exec.stderr_fd = take();
  }
  if (landlock) exec.landlock_fd = take();
  const auto bytes = WRIT_TRY("launch", ReadBody(message.fds[0]));
  const LaunchBody body = WRIT_TRY("launch", DecodeLaunchBody(bytes));
  WRIT_TRY("streams", ConnectStreams(exec));
  WRIT_TRY("limits", LimitResources(exec));
  if (::chdir(body.cwd.c_str()) != 0) return FailErrno(fmt::format("enter the working directory {:?}", body.cwd));
  if (landlock && ::syscall(SYS_landlock_restrict_self, exec.landlock_fd, 0) != 0) return FailErrno("restrict with Landlock");
  return Execute(body);
}

/// The namespaces that the guest's process makes for the whole cell.
constexpr std::pair<const char*, int> kOwnNamespaces[] = {{"/proc/self/ns/net", CLONE_NEWNET}, {"/proc/self/ns/ipc", CLONE_NEWIPC}};

Result<std::vector<sys::UniqueFd>> EnterOwnNamespaces() {
  if (::unshare(CLONE_NEWNET | CLONE_NEWIPC) != 0) return FailErrno("unshare the network");
  WRIT_TRY("network", RaiseLoopback());
  std::vector<sys::UniqueFd> names;
  for (const auto& [path, kind] : kOwnNamespaces) {
    names.emplace_back(::open(path, O_RDONLY | O_CLOEXEC));
    if (!names.back().valid()) return FailErrno(path);
  }
  return names;
}

/// Waits for the control group's files and joins by each.
Result<> JoinControlGroup(const sys::UniqueFd& jail) {
  const auto message = WRIT_TRY("hear from the jail", sys::ReceiveMessage(jail, kMessageBytesMax, Deadline::After(kAnswerWait)));
  if (message.end) ::_exit(0);
  if (AsText(message.bytes) != kJoin) return Fail(Code::kInternal, "the jail's message is not \"{}\"", kJoin);
  return EnterControlGroup(message.fds);
}

[[noreturn]] void RunStub(sys::UniqueFd socket, sys::UniqueFd jail, bool switch_ids, const sys::Processors& processors) {
  const auto tell = [&](const Error* error, int exec_errno, std::span<const int> fds = {}) {
    WireWriter out;
    out.U32(static_cast<std::uint32_t>(exec_errno)).U32(error != nullptr);
    if (error != nullptr) out.U32(static_cast<std::uint32_t>(error->code)).Text(error->what);
    if (!sys::SendMessage(socket, out.bytes(), fds, Deadline::After(kAnswerWait))) ::_exit(1);
  };
  const auto refuse = [&](const Error& error) {
    tell(&error, 0);
    ::_exit(1);
  };
  {
    const auto namespaces = EnterOwnNamespaces();
    if (!namespaces) refuse(namespaces.error());
    std::vector<int> fds;
    for (const sys::UniqueFd& name : *namespaces) fds.push_back(name.get());
    tell(nullptr, 0, fds);
  }
  if (const Result<> joined = JoinControlGroup(jail); !joined) refuse(joined.error());
  jail.Reset();
  if (const Result<> confined = Confine(switch_ids); !confined) refuse(confined.error());
  tell(nullptr, 0);
  const Result<int> executed = Follow(socket, processors);
  tell(executed ? nullptr : &executed.error(), executed ? *executed : 0);
  ::_exit(127);
}

// ---- in PID 1 ----

struct Heard {
  bool end = false;  ///< it executes, or was ended: its socket closed
  int exec_errno = 0;
  std::vector<sys::UniqueFd> fds{};
};

/// What the stub says of itself. Errors: what went wrong in it.
Result<Heard> Hear(const sys::UniqueFd& socket) {
  auto message = WRIT_TRY("hear from the guest's process", sys::ReceiveMessage(socket, kMessageBytesMax, Deadline::After(kAnswerWait)));
  if (message.end) return Heard{.end = true, .exec_errno = 0};
  WireReader in(message.bytes);
  const auto exec_errno = static_cast<int>(in.U32());
  if (in.U32() != 0) {
    const auto code = static_cast<Code>(in.U32());
    return std::unexpected(Error{code, in.Text()});
  }
  return Heard{.exec_errno = exec_errno, .fds = std::move(message.fds)};
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

Result<GuestStub> GuestStub::Fork(const sys::UniqueFd& jail, bool switch_ids) {
  const auto processors = sys::Processors::Own();
  auto [ours, theirs] = WRIT_TRY("socket", sys::SeqpacketPair());
  const pid_t pid = ::fork();
  if (pid < 0) return FailErrno("fork the guest's process");
  if (pid == 0) {
    // Nothing else that PID 1 has open is for a guest.
    if (!CloseAllBut({theirs.get(), jail.get()})) ::_exit(1);
    [[maybe_unused]] const int other = ours.Release();
    RunStub(std::move(theirs), sys::UniqueFd{jail.get()}, switch_ids, processors);
  }
  return GuestStub(pid, std::move(ours));
}

Result<> GuestStub::JoinNamespaces() {
  const Heard heard = WRIT_TRY("namespaces of the guest", Hear(socket_));
  if (heard.fds.size() != std::size(kOwnNamespaces)) return Fail(Code::kUnavailable, "the guest's process ended before it was confined");
  for (std::size_t i = 0; i < heard.fds.size(); ++i)
    if (::setns(heard.fds[i].get(), kOwnNamespaces[i].second) != 0) return FailErrno(fmt::format("enter {}", kOwnNamespaces[i].first));
  return {};
}

Result<GuestStub::Executed> GuestStub::Exec(const GuestExec& exec) {
  WireWriter out;
  EncodeExec(out, exec);
  std::vector<int> fds = {exec.body};
  if (exec.terminal_fd >= 0) {
    fds.push_back(exec.terminal_fd);
  } else {
    fds.insert(fds.end(), {exec.stdin_fd, exec.stdout_fd, exec.stderr_fd});
  }
  if (exec.landlock_fd >= 0) fds.push_back(exec.landlock_fd);
  WRIT_TRY("start the guest", sys::SendMessage(socket_, out.bytes(), fds, Deadline::After(kAnswerWait)));
  const Heard confined = WRIT_TRY("confine the guest", Hear(socket_));
  if (confined.end) return Fail(Code::kUnavailable, "the guest's process ended before it was confined");
  const Heard executed = WRIT_TRY("start the guest", Hear(socket_));
  return Executed{executed.exec_errno};
}

}  // namespace writ::isolation::process

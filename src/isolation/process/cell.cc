#include "isolation/process/cell.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "isolation/process/init.h"
#include "isolation/process/messages.h"
#include "sys/placement.h"
#include "sys/socket.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

namespace writ::isolation::process {
namespace {

Result<> WriteProcFile(pid_t pid, const char* name, std::string_view text) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  const sys::UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!fd.valid()) return FailErrno(name);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return FailErrno(name);
  return {};
}

Result<> MapIds(pid_t pid, const CellIds& ids) {
  if (ids.deny_setgroups) WRIT_TRY("deny setgroups", WriteProcFile(pid, "setgroups", "deny"));
  WRIT_TRY("map users", WriteProcFile(pid, "uid_map", ids.uid_map));
  return WriteProcFile(pid, "gid_map", ids.gid_map);
}

}  // namespace

Result<Cell> Cell::Make(const Identity& identity, CgroupPlan& cgroups, FixedRoot& fixed_root, const Limits& expected,
                        const RootMaker& custom_root, Need need) {
  Cell cell;
  cell.ids_ = WRIT_TRY("ids", identity.Claim());
  PreparedLayer root;
  if (custom_root) root = WRIT_TRY("root file system", custom_root(cell.ids_));
  if (cgroups.JoinedAtBirth()) cell.cgroup_ = WRIT_TRY("control group", cgroups.Make());
  auto [ours, theirs] = WRIT_TRY("control socket", sys::SeqpacketPair());
  cell.control_ = std::move(ours);
  auto [stub_ours, stub_theirs] = WRIT_TRY("socket of the guest's process", sys::SeqpacketPair());

  int pidfd = -1;
  clone_args arguments{};
  // The network and IPC namespaces follow in the guest's own process, beside the building of the root.
  arguments.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (cell.cgroup_.into() >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cell.cgroup_.into());
  }
  const auto processors = sys::Processors::Own();
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) return FailErrno("clone a cell");
  if (pid == 0) {
    InitSetup setup;
    setup.control = std::move(theirs);
    setup.stub_control = std::move(stub_theirs);
    setup.ids = &cell.ids_;
    setup.cgroups = &cgroups;
    setup.custom_root = std::move(root.mount);
    setup.limits = expected;
    setup.groups = identity.groups();
    setup.processors = processors;
    setup.awaited = need == Need::kNow;
    cell.control_.Reset();
    RunInit(std::move(setup));
  }
  cell.pidfd_ = sys::UniqueFd{pidfd};
  if (need == Need::kNow) processors.StartOnOther(static_cast<pid_t>(pid), 2);
  else processors.StartHere(static_cast<pid_t>(pid));
  WRIT_TRY("map ids", MapIds(static_cast<pid_t>(pid), cell.ids_));
  WRIT_TRY("start PID 1", sys::SendMessage(cell.control_, AsBytes(kMapped), {}, Deadline::After(Millis{1000})));
  if (!custom_root) {
    const sys::UniqueFd copy = fixed_root.CopyFor(static_cast<pid_t>(pid), cell.ids_);
    const int fd = copy.get();
    WRIT_TRY("start PID 1", sys::SendMessage(cell.control_, AsBytes(kRoot), std::span(&fd, copy.valid() ? 1 : 0), Deadline::After(Millis{1000})));
  }
  if (!cgroups.JoinedAtBirth()) cell.cgroup_ = WRIT_TRY("control group", cgroups.Make());
  std::vector<int> tasks;
  for (const sys::UniqueFd& file : cell.cgroup_.tasks()) tasks.push_back(file.get());
  for (const sys::UniqueFd* member : {&stub_ours, &cell.control_})
    WRIT_TRY("start PID 1", sys::SendMessage(*member, AsBytes(kJoin), tasks, Deadline::After(Millis{1000})));
  return cell;
}

Cell& Cell::operator=(Cell&& other) noexcept {
  std::swap(pidfd_, other.pidfd_);
  std::swap(control_, other.control_);
  std::swap(ids_, other.ids_);
  std::swap(cgroup_, other.cgroup_);
  return *this;
}

void Cell::Kill() const {
  if (pidfd_.valid()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

Cell::~Cell() {
  if (!pidfd_.valid()) return;
  Kill();
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 && errno == EINTR) {}
}

}  // namespace writ::isolation::process

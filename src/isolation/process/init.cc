#include "isolation/process/init.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "isolation/process/cell_setup.h"
#include "isolation/process/doors.h"
#include "isolation/process/guest_stub.h"
#include "isolation/process/landlock.h"
#include "isolation/process/messages.h"
#include "isolation/process/root_fs.h"
#include "isolation/process/tree_copy.h"
#include "sys/mount_api.h"
#include "sys/socket.h"

namespace writ::isolation::process {
namespace {

class Init {
 public:
  explicit Init(InitSetup setup) : setup_(std::move(setup)) {}

  void Run() {
    if (Result<> built = Build(); !built) return Report(built.error());
    if (Result<> launched = Launch(); !launched) return Report(launched.error());
    Watch();
    EndAll();
    ReportEnd();
    ReportPlaces();
    Serve();
  }

 private:
  Result<> Build();
  Result<> Launch();
  Result<> MountLayers(const CellLaunch& launch, std::vector<sys::UniqueFd>& fds, std::size_t& next);
  Result<> OpenDoors();
  Result<sys::UniqueFd> OpenTerminal(const LaunchBody& body, sys::UniqueFd& peer);
  void Watch();
  void EndAll();
  void ReportEnd();
  void ReportPlaces();
  void Serve();
  void Reap(int options);
  void Report(const Error& error);
  EntryReply OpenPlace(Place place) const;
  EntryReply Answer(const sys::Message& message);
  Result<sys::Message> Receive(Deadline deadline);
  Result<sys::Message> ReceiveFromJail(std::string_view expected);

  InitSetup setup_;
  CellRoot root_;
  Mechanisms enforced_;
  sys::UniqueFd children_, terminal_;
  std::optional<GuestStub> stub_;
  Result<Landlock> landlock_ = Fail(Code::kUnavailable, "not prepared");
  bool copied_workspace_ = false, overlay_workspace_ = false;
  pid_t main_ = -1;
  bool main_dead_ = false;
  EndReport end_;
  MonoTime started_{};
  Deadline deadline_ = Deadline::Never();
};

Result<sys::Message> Init::Receive(Deadline deadline) {
  auto message = WRIT_TRY("receive", sys::ReceiveMessage(setup_.control, kMessageBytesMax, deadline));
  if (message.end) ::_exit(0);  // nobody is left who could use this cell
  return message;
}

Result<sys::Message> Init::ReceiveFromJail(std::string_view expected) {
  auto message = WRIT_TRY("receive", Receive(Deadline::After(Millis{30'000})));
  if (AsText(message.bytes) != expected) return Fail(Code::kInternal, "the jail's message is not \"{}\"", expected);
  return message;
}

Result<> Init::Build() {
  if (::prctl(PR_SET_NAME, "writ-init") != 0) return FailErrno("prctl");
  [[maybe_unused]] const auto mapped = WRIT_TRY("wait for ids", ReceiveFromJail(kMapped));
  setup_.processors.GiveBack();
  OutOfMemoryPreference preference;
  WRIT_TRY("out of memory", preference.Open());
  const bool own_time = EnterTimeNamespace();  // while /proc/self still belongs to this process's user
  WRIT_TRY("ids", BecomeSetupUser(*setup_.ids));
  // Changing ids clears the parent-death signal; set after it. The jail's death also closes the control socket.
  // Not dumpable: no guest that shares the user id may look into PID 1 through /proc or trace it.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) return FailErrno("prctl");
  const bool own_keyring = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0;
  if (!own_keyring && errno != ENOSYS) return FailErrno("new session keyring");
  if (::sethostname("writ", 4) != 0 || ::setdomainname("(none)", 6) != 0) return FailErrno("set host name");
  int capability = 0;
  while (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) ++capability;
  if (errno != EINVAL || capability == 0) return FailErrno("drop bounding capabilities");  // EINVAL: past the last one
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (::sigprocmask(SIG_BLOCK, &child, nullptr) != 0) return FailErrno("block SIGCHLD");
  if (::chdir("/") != 0) return FailErrno("chdir to the root");  // the pivot moves whoever stands there
  // The guest's process makes the cell's network and confines itself while the root is built here, and the jail makes the
  // control group while both of them begin; on two processors that halves the time.
  WRIT_TRY("out of memory", preference.Raise());
  stub_ = WRIT_TRY("guest", GuestStub::Fork(setup_.stub_control, setup_.ids->whole_range));
  if (setup_.awaited) setup_.processors.StartOnOther(stub_->pid(), 3);  // with PID 1 and the jail
  else setup_.processors.StartHere(stub_->pid());
  setup_.stub_control.Reset();
  WRIT_TRY("out of memory", preference.Restore());
  RootPlan plan{.disk_bytes = setup_.limits.disk_bytes, .inodes = setup_.limits.inodes, .whole_range = setup_.ids->whole_range};
  if (setup_.custom_root.valid()) {
    plan.custom_root = std::move(setup_.custom_root);
  } else {
    auto copy = WRIT_TRY("wait for the fixed part", ReceiveFromJail(kRoot));
    if (!copy.fds.empty()) plan.fixed_root = std::move(copy.fds[0]);
  }
  root_ = WRIT_TRY("root", BuildRoot(std::move(plan)));
  const auto join = WRIT_TRY("wait for the control group", ReceiveFromJail(kJoin));
  WRIT_TRY("control group", EnterControlGroup(join.fds));
  WRIT_TRY("guest", stub_->JoinNamespaces());
  landlock_ = PrepareLandlock();
  children_ = sys::UniqueFd{::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!children_.valid()) return FailErrno("signalfd");
  enforced_ = {{"capabilities", "none"},  {"new-privileges", "no_new_privs"}, {"network", "netns"},
               {"seccomp", "filter"},     {"processes", "pidns"},             {"files", "rlimit"},
               {"disk", "tmpfs"},         {"inodes", "tmpfs"},                {"wall-time", "init-timer"},
               {"groups", setup_.groups}, {"core-dumps", "rlimit"},           {"keyring", own_keyring ? "own" : "none"},
               {"ids", setup_.ids->base != 0 ? "own-range" : setup_.ids->whole_range ? "subordinate-range" : "caller"}};
  enforced_["clock"] = own_time ? "timens" : "host";
  return {};
}

Result<> Init::MountLayers(const CellLaunch& launch, std::vector<sys::UniqueFd>& fds, std::size_t& next) {
  if (launch.workspace) {
    const sys::UniqueFd& lower = fds[next++];
    overlay_workspace_ = UpperPossible(root_);
    copied_workspace_ = !overlay_workspace_;
    if (overlay_workspace_) {
      WRIT_TRY("workspace", MountWorkspaceOverlay(root_, lower));
    } else {
      // An overlay on a tmpfs without user attributes breaks on the first removed directory.
      WRIT_TRY("workspace", sys::AttachMount(lower, AT_FDCWD, "/.cell/workspace"));
      const sys::UniqueFd work{::openat(root_.scratch.get(), "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
      OwnerOf owner;
      if (setup_.ids->whole_range)
        owner = [](const sys::FileMeta& meta) {
          const auto mapped = [](std::uint32_t id) { return id < kIdsPerCell - 2 ? id : kGuestId; };
          return std::pair{mapped(meta.uid), mapped(meta.gid)};
        };
      auto copied = CopyTree(lower, work, owner);
      if (!copied && copied.error().code == Code::kExhausted)
        return Fail(Code::kExhausted, "the workspace does not fit: {}; this kernel's tmpfs cannot hold an overlay, so it is "
                    "copied; give more with --disk and --inodes", copied.error().what);
      WRIT_TRY("copy the workspace", std::move(copied));
      if (::umount2("/.cell/workspace", MNT_DETACH) != 0) return FailErrno("detach the workspace");
    }
    landlock_ = PrepareLandlock();  // a rule binds to what is visible: the workspace is so only from here on
    enforced_["workspace"] = launch.workspace_is_copy ? "copy-overlay" : overlay_workspace_ ? "overlay" : "copy";
  }
  if (launch.inputs) {
    WRIT_TRY("inputs", MountInputs(fds[next++]));
    enforced_["inputs"] = "overlay-read-only";
  }
  if (launch.tools) {
    WRIT_TRY("tools", MountTools(fds[next++]));
    enforced_["tools"] = "overlay-read-only";
  }
  return {};
}

Result<sys::UniqueFd> Init::OpenTerminal(const LaunchBody& body, sys::UniqueFd& peer) {
  sys::UniqueFd master{::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (!master.valid()) return FailErrno("open /dev/pts/ptmx");
  int locked = 0;
  if (::ioctl(master.get(), TIOCSPTLCK, &locked) != 0) return FailErrno("unlock the terminal");
  peer = sys::UniqueFd{::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (!peer.valid()) return FailErrno("open the terminal's other side");
  if (setup_.ids->whole_range && ::fchown(peer.get(), kGuestId, static_cast<gid_t>(-1)) != 0) return FailErrno("own the terminal");
  const winsize size{body.rows, body.columns, 0, 0};
  if (::ioctl(master.get(), TIOCSWINSZ, &size) != 0) return FailErrno("size the terminal");
  return master;
}

/// Before the guest runs, so that nothing it does can be ahead of the rules.
Result<> Init::OpenDoors() {
  NetworkDoors doors = WRIT_TRY("doors", MakeDoors());
  std::vector<int> fds;
  for (const sys::UniqueFd* door : DoorsOf(doors))
    if (door->valid()) fds.push_back(door->get());
  WireWriter report;
  report.U32(static_cast<std::uint32_t>(InitReport::kDoors));
  WRIT_TRY("hand over the doors", sys::SendMessage(setup_.control, report.bytes(), fds, Deadline::After(kSendWait)));
  enforced_["network"] = "netns+proxy";
  return {};
}

Result<> Init::Launch() {
  auto message = WRIT_TRY("wait for a launch", Receive(Deadline::Never()));
  const bool doors_made = AsText(message.bytes) == kDoorsAhead;
  if (doors_made) {
    WRIT_TRY("network", OpenDoors());
    message = WRIT_TRY("wait for a launch", Receive(Deadline::Never()));
  }
  const auto launch = WRIT_TRY("launch", DecodeCellLaunch(message.bytes));
  if (doors_made && !launch.doors) return Fail(Code::kInternal, "doors were made for a launch without them");
  auto& fds = message.fds;
  const std::size_t expected = 1u + (launch.terminal ? 0 : 2) + launch.stdin_fd + launch.workspace + launch.inputs + launch.tools;
  if (fds.size() != expected) return Fail(Code::kInternal, "a launch brings {} descriptors, not {}", expected, fds.size());
  const auto bytes = WRIT_TRY("launch", ReadBody(fds[0]));
  const LaunchBody body = WRIT_TRY("launch", DecodeLaunchBody(bytes));
  if (body.limits.disk_bytes != setup_.limits.disk_bytes || body.limits.inodes != setup_.limits.inodes)
    WRIT_TRY("size of writable places", ResizeScratch(root_, body.limits.disk_bytes, body.limits.inodes));

  GuestExec exec;
  std::size_t next = 1;
  sys::UniqueFd null, peer;
  if (launch.terminal) {
    terminal_ = WRIT_TRY("terminal", OpenTerminal(body, peer));
    exec.terminal_fd = peer.get();
  } else {
    exec.stdout_fd = fds[next++].get();
    exec.stderr_fd = fds[next++].get();
    if (launch.stdin_fd) {
      exec.stdin_fd = fds[next++].get();
    } else {
      null = sys::UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
      if (!null.valid()) return FailErrno("/dev/null");
      exec.stdin_fd = null.get();
    }
  }
  WRIT_TRY("mount", MountLayers(launch, fds, next));
  if (!body.files.empty()) WRIT_TRY("mount", PlaceFiles(root_, body.files));
  if (launch.doors && !doors_made) WRIT_TRY("network", OpenDoors());

  exec.body = fds[0].get();
  exec.open_files = body.limits.open_files;
  const auto accepts = [&](const char* limit, const char* mechanism) {
    const auto found = body.accepted.find(limit);
    return found != body.accepted.end() && found->second == mechanism;
  };
  // Control groups are set up by the jail; what they do not hold here is held in its weaker form, if accepted.
  const auto weaker = [&](const char* controller, const char* limit, const char* mechanism) {
    return setup_.cgroups->MechanismFor(controller).empty() && accepts(limit, mechanism);
  };
  if (weaker("memory", "memory", "rlimit")) exec.address_space_bytes = body.limits.memory_bytes;
  if (weaker("cpuacct", "cpu-time", "rlimit"))
    exec.cpu_seconds = std::max<std::uint64_t>(1, static_cast<std::uint64_t>((body.limits.cpu_time.count() + 999) / 1000));
  if (weaker("pids", "pids", "rlimit")) exec.processes = body.limits.pids;
  if (weaker("cpu", "cpus", "affinity")) exec.cpu_count = (body.limits.cpu_millis + 999) / 1000;
  if (exec.address_space_bytes != 0) enforced_["memory"] = "rlimit";
  if (exec.cpu_seconds != 0) enforced_["cpu-time"] = "rlimit";
  if (exec.processes != 0) enforced_["pids"] = "rlimit";
  if (exec.cpu_count != 0) enforced_["cpus"] = "affinity";

  if (landlock_) {
    exec.landlock_fd = landlock_->ruleset.get();
    enforced_["landlock"] = fmt::format("abi-{}", landlock_->abi);
  } else if (landlock_.error().code != Code::kUnavailable) {
    return std::unexpected(landlock_.error());
  }

  WRIT_TRY("PID 1", KeepOnlyWhatIsNeeded());
  started_ = std::chrono::steady_clock::now();
  deadline_ = Deadline::At(started_ + body.limits.wall_time);
  main_ = stub_->pid();
  const auto executed = WRIT_TRY("guest", stub_->Exec(exec));
  if (executed.exec_errno != 0) {
    main_dead_ = true;
    end_.cause = EndReport::Cause::kExecFailed;
    end_.exec_errno = executed.exec_errno;
  }
  WireWriter report;
  report.U32(static_cast<std::uint32_t>(InitReport::kStarted));
  Encode(report, enforced_);
  const int master = terminal_.get();
  return sys::SendMessage(setup_.control, report.bytes(), std::span(&master, master >= 0 ? 1 : 0), Deadline::After(kSendWait));
}

void Init::Reap(int options) {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, options)) > 0 || (pid < 0 && errno == EINTR);)
    if (pid == main_) {
      main_dead_ = true;
      end_.wait_status = status;
    }
}

void Init::Watch() {
  while (!main_dead_) {
    pollfd items[2] = {{children_.get(), POLLIN, 0}, {setup_.control.get(), POLLIN, 0}};
    const int ready = ::poll(items, 2, deadline_.PollTimeoutMs());
    if (ready < 0 && errno != EINTR) ::_exit(1);
    if (items[0].revents != 0) {
      signalfd_siginfo ignored[8];
      [[maybe_unused]] const ssize_t drained = ::read(children_.get(), ignored, sizeof ignored);
      Reap(WNOHANG);
    }
    if (!main_dead_ && items[1].revents != 0) {
      auto message = Receive(Deadline::After(Millis{0}));
      if (!message) continue;
      WireReader in(message->bytes);
      switch (static_cast<InitRequest>(in.U32())) {
        case InitRequest::kKill:
          end_.cause = EndReport::Cause::kKilled;
          return;
        case InitRequest::kResize: {
          const auto rows = in.U32(), columns = in.U32();
          const winsize size{static_cast<unsigned short>(rows), static_cast<unsigned short>(columns), 0, 0};
          if (terminal_.valid()) ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
          break;
        }
        case InitRequest::kOpen:
          break;  // files are opened after the end only
      }
    }
    if (!main_dead_ && deadline_.Passed()) {
      end_.cause = EndReport::Cause::kTimeLimit;
      return;
    }
  }
}

void Init::EndAll() {
  // The kernel kills every process of this namespace but PID 1; all of them become our children and are reaped.
  ::kill(-1, SIGKILL);
  Reap(0);
  terminal_.Reset();
  const auto wall = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started_);
  end_.wall_us = wall.count();
  rusage use{};
  ::getrusage(RUSAGE_CHILDREN, &use);
  end_.user_us = use.ru_utime.tv_sec * 1'000'000 + use.ru_utime.tv_usec;
  end_.system_us = use.ru_stime.tv_sec * 1'000'000 + use.ru_stime.tv_usec;
}

void Init::ReportEnd() {
  WireWriter report;
  report.U32(static_cast<std::uint32_t>(InitReport::kEnded));
  Encode(report, end_);
  if (!sys::SendMessage(setup_.control, report.bytes(), {}, Deadline::After(kSendWait))) ::_exit(1);
}

void Init::ReportPlaces() {
  WireWriter report;
  report.U32(static_cast<std::uint32_t>(InitReport::kPlaces));
  std::vector<sys::UniqueFd> opened;
  std::vector<int> fds;
  for (const Place place : kPlaces) {
    EntryReply reply = OpenPlace(place);
    Encode(report, reply);
    if (reply.error) continue;
    fds.push_back(reply.entry.fd.get());
    opened.push_back(std::move(reply.entry.fd));
  }
  if (!sys::SendMessage(setup_.control, report.bytes(), fds, Deadline::After(kSendWait))) ::_exit(1);
}

void Init::Report(const Error& error) {
  WireWriter report;
  report.U32(static_cast<std::uint32_t>(InitReport::kFailed)).U32(static_cast<std::uint32_t>(error.code)).Text(error.what);
  if (!sys::SendMessage(setup_.control, report.bytes(), {}, Deadline::After(kSendWait))) ::_exit(1);
  while (Receive(Deadline::Never())) {}  // stays until the client has read it and closes
}

EntryReply ReplyOf(Result<sys::TreeEntry> entry) {
  EntryReply reply;
  if (entry) {
    reply.entry = std::move(*entry);
  } else {
    reply.error = std::move(entry).error();
  }
  return reply;
}

EntryReply Init::OpenPlace(Place place) const {
  const char* name = place == Place::kOut ? "out" : overlay_workspace_ ? "upper" : "work";
  EntryReply reply = ReplyOf(sys::OpenTreeEntry(root_.scratch.get(), name));
  reply.complete = !(place == Place::kWorkspace && overlay_workspace_);
  return reply;
}

EntryReply Init::Answer(const sys::Message& message) {
  WireReader in(message.bytes);
  if (static_cast<InitRequest>(in.U32()) == InitRequest::kOpen && message.fds.size() == 1)
    return ReplyOf(sys::OpenTreeEntry(message.fds[0].get(), in.Text()));
  return ReplyOf(Fail(Code::kInvalid, "unknown request after the end"));
}

void Init::Serve() {
  for (;;) {
    const auto message = Receive(Deadline::Never());
    if (!message) ::_exit(1);
    WireReader in(message->bytes);
    const auto request = static_cast<InitRequest>(in.U32());
    if (request == InitRequest::kKill || request == InitRequest::kResize) continue;  // sent before the end was known
    EntryReply reply = Answer(*message);
    WireWriter out;
    out.U32(static_cast<std::uint32_t>(InitReport::kEntry));
    Encode(out, reply);
    const int fd = reply.entry.fd.get();
    if (!sys::SendMessage(setup_.control, out.bytes(), std::span(&fd, fd >= 0 ? 1 : 0), Deadline::After(kSendWait))) ::_exit(1);
  }
}

}  // namespace

void RunInit(InitSetup setup) {
  // What the jail had open for others goes: sockets of other cells, its own client, their control groups.
  if (!CloseAllBut({setup.control.get(), setup.stub_control.get(), setup.custom_root.get()})) ::_exit(1);
  Init(std::move(setup)).Run();
  ::_exit(0);
}

}  // namespace writ::isolation::process

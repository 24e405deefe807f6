#include "isolation/process/jail.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>

#include "isolation/process/cell.h"
#include "isolation/process/layers.h"
#include "isolation/process/messages.h"
#include "isolation/process/systemd_scope.h"
#include "sys/socket.h"

namespace writ::isolation::process {
namespace {

constexpr Millis kSendWait{5000};
constexpr std::size_t kCellsMax = 4096;

class Jail {
 public:
  Jail(sys::UniqueFd client, const JailOptions& options, Identity identity)
      : client_(std::move(client)),
        options_(options),
        identity_(std::move(identity)),
        cgroups_(CgroupPlan::Find(identity_.kind() == Identity::Kind::kOwnRanges, options.delegated_cgroup)) {}

  int Serve();

 private:
  Result<> SayHello();
  Result<> Handle(sys::Message message);
  Result<> Launch(sys::Message message);
  Result<LaunchReply> TryLaunch(sys::Message& message, std::vector<int>& reply_fds);
  Result<Cell> TakeCell(const LaunchBody& body, const sys::UniqueFd* root_fd);
  void PrepareOne();
  void ReapDead();

  sys::UniqueFd client_;
  const JailOptions options_;
  const Identity identity_;
  CgroupPlan cgroups_;
  Limits expected_;
  std::deque<Cell> ready_;
  std::map<std::uint64_t, Cell> running_;
  std::uint64_t next_cell_ = 1;
};

/// Rootless and without a usable control group: asks the user's systemd for one. It must be asked before this process
/// enters a user namespace. Where that is not possible the limits that need it are not offered; `writ doctor` says why.
std::string DelegatedCgroup(const JailOptions& options) {
  constexpr Millis kScopeWait{5000};
  if (::geteuid() == 0 || !options.delegated_cgroup.empty()) return options.delegated_cgroup;
  if (!CgroupPlan::Find(false, "").MechanismFor("memory").empty()) return {};
  const auto directory = DelegateScope(::getpid(), Deadline::After(kScopeWait));
  return directory ? *directory : std::string{};
}

/// What this helper can enforce, for Backend::Accepts.
Result<> Jail::SayHello() {
  Mechanisms offered;
  for (const auto& [limit, controller] : {std::pair{"memory", "memory"}, {"pids", "pids"}, {"cpus", "cpu"}, {"cpu-time", "cpuacct"}})
    if (const std::string mechanism = cgroups_.MechanismFor(controller); !mechanism.empty()) offered[limit] = mechanism;
  offered["groups"] = identity_.groups();
  WireWriter hello;
  Encode(hello, Hello{offered, std::nullopt});
  return sys::SendMessage(client_, hello.bytes(), {}, Deadline::After(kSendWait));
}

void Jail::PrepareOne() {
  if (auto cell = Cell::Make(identity_, cgroups_, expected_, {})) {
    if (!cell->cgroup().Apply(expected_)) return;  // a launch reports it when it meets the same failure
    ready_.push_back(std::move(*cell));
  }
}

Result<Cell> Jail::TakeCell(const LaunchBody& body, const sys::UniqueFd* root_fd) {
  while (root_fd == nullptr && !ready_.empty()) {
    Cell cell = std::move(ready_.front());
    ready_.pop_front();
    pollfd died{cell.pidfd().get(), POLLIN, 0};
    if (::poll(&died, 1, 0) == 0) return cell;
  }
  if (root_fd == nullptr) return Cell::Make(identity_, cgroups_, body.limits, {});
  const auto directory = WRIT_TRY("root", OpenSameDirectory(body.root_path, *root_fd));
  return Cell::Make(identity_, cgroups_, body.limits, [&](const CellIds& ids) { return PrepareRoot(directory, ids); });
}

Result<LaunchReply> Jail::TryLaunch(sys::Message& message, std::vector<int>& reply_fds) {
  const auto asked = WRIT_TRY("launch", DecodeLaunch(message.bytes));
  CellLaunch launch{asked.terminal, asked.stdin_fd, asked.workspace, false, asked.inputs};
  const std::size_t streams = launch.terminal ? 0 : 2u + launch.stdin_fd;
  const std::size_t expected = 1u + streams + asked.root + launch.workspace + launch.inputs;
  if (message.fds.size() != expected)
    return Fail(Code::kInvalid, "a launch brings {} descriptors, not {}", expected, message.fds.size());
  if (running_.size() >= kCellsMax) return Fail(Code::kExhausted, "{} guests are running already", kCellsMax);
  const auto bytes = WRIT_TRY("launch", ReadBody(message.fds[0]));
  const LaunchBody body = WRIT_TRY("launch", DecodeLaunchBody(bytes));

  std::size_t next = 1 + streams;
  const sys::UniqueFd* root = asked.root ? &message.fds[next++] : nullptr;
  Cell cell = WRIT_TRY("cell", TakeCell(body, root));
  LaunchReply reply;
  reply.enforced = WRIT_TRY("limits", cell.cgroup().Apply(body.limits));

  std::vector<int> fds;
  for (std::size_t i = 0; i < 1 + streams; ++i) fds.push_back(message.fds[i].get());
  PreparedLayer workspace, inputs;
  if (launch.workspace) {
    const auto directory = WRIT_TRY("workspace", OpenSameDirectory(body.workspace_path, message.fds[next++]));
    workspace = WRIT_TRY("prepare", PrepareWorkspace(directory, cell.ids(), body.limits.disk_bytes, body.limits.inodes));
    launch.workspace_is_copy = workspace.copied;
    fds.push_back(workspace.mount.get());
  }
  if (launch.inputs) {
    const auto directory = WRIT_TRY("inputs", OpenSameDirectory(body.inputs_path, message.fds[next++]));
    inputs = WRIT_TRY("prepare", PrepareInputs(directory));
    fds.push_back(inputs.mount.get());
  }
  WireWriter out;
  Encode(out, launch);
  WRIT_TRY("hand over to PID 1", sys::SendMessage(cell.control(), out.bytes(), fds, Deadline::After(kSendWait)));

  expected_ = body.limits;
  reply.cell = next_cell_++;
  Cell& kept = running_.emplace(reply.cell, std::move(cell)).first->second;
  reply_fds = {kept.control().get(), kept.pidfd().get()};
  for (const auto& [name, fd] : kept.cgroup().Stats()) {
    reply.stats.push_back(name);
    reply_fds.push_back(fd);
  }
  return reply;
}

Result<> Jail::Launch(sys::Message message) {
  std::vector<int> fds;
  auto launched = TryLaunch(message, fds);
  LaunchReply reply;
  if (launched) {
    reply = std::move(*launched);
  } else {
    reply.error = std::move(launched.error());
    fds.clear();
  }
  WireWriter out;
  Encode(out, reply);
  WRIT_TRY("answer", sys::SendMessage(client_, out.bytes(), fds, Deadline::After(kSendWait)));
  // From here on the socket is the client's alone: its end closes when the client closes it.
  if (!reply.error) running_.at(reply.cell).control().Reset();
  return {};
}

Result<> Jail::Handle(sys::Message message) {
  WireReader in(message.bytes);
  switch (static_cast<JailRequest>(in.U32())) {
    case JailRequest::kPrepare:
      PrepareOne();
      return {};
    case JailRequest::kLaunch:
      return Launch(std::move(message));
    case JailRequest::kKill:
      if (const auto found = running_.find(in.U64()); found != running_.end()) found->second.Kill();
      return {};
  }
  return Fail(Code::kInvalid, "unknown request");
}

void Jail::ReapDead() {
  std::vector<pollfd> items;
  std::vector<std::uint64_t> names;
  for (const auto& [name, cell] : running_) {
    items.push_back({cell.pidfd().get(), POLLIN, 0});
    names.push_back(name);
  }
  if (items.empty() || ::poll(items.data(), items.size(), 0) <= 0) return;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].revents != 0) running_.erase(names[i]);
}

int Jail::Serve() {
  if (!SayHello()) return 1;
  for (;;) {
    std::vector<pollfd> items = {{client_.get(), POLLIN, 0}};
    for (const auto& [name, cell] : running_) items.push_back({cell.pidfd().get(), POLLIN, 0});
    const bool prepare = ready_.size() < options_.warm_cells;
    const int ready = ::poll(items.data(), items.size(), prepare ? 0 : -1);
    if (ready < 0 && errno != EINTR) return 1;
    if (items[0].revents != 0) {
      auto message = sys::ReceiveMessage(client_, kMessageBytesMax, Deadline::After(Millis{0}));
      if (!message) {
        if (message.error().code == Code::kDeadline) continue;
        return 1;
      }
      if (message->end) {
        running_.clear();
        ready_.clear();
        cgroups_.Sweep();
        return 0;
      }
      if (!Handle(std::move(*message))) return 1;
      continue;  // requests first: housekeeping waits until none is left
    }
    ReapDead();
    if (prepare) PrepareOne();
  }
}

}  // namespace

int RunJail(sys::UniqueFd client, const JailOptions& options) {
  // The client decides what Ctrl-C, a stop or a shutdown means; the jail lives until the client has closed.
  ::setsid();
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  const auto refuse = [&](const Error& error) {
    WireWriter out;
    Encode(out, Hello{{}, error});
    return sys::SendMessage(client, out.bytes(), {}, Deadline::After(kSendWait)) ? 1 : 2;
  };
  JailOptions chosen = options;
  chosen.delegated_cgroup = DelegatedCgroup(options);
  auto identity = Identity::Enter(options.id_base);
  if (!identity) return refuse(identity.error());
  // A mount namespace of its own, so that what is mounted for a moment never shows outside.
  if (::unshare(CLONE_NEWNS) != 0) return refuse(ErrnoError(errno, "unshare the mount namespace"));
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return refuse(ErrnoError(errno, "make mounts slaves"));
  return Jail(std::move(client), chosen, std::move(*identity)).Serve();
}

}  // namespace writ::isolation::process

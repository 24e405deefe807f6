#include "isolation/process/jail.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <span>

#include "isolation/process/cell.h"
#include "isolation/process/layers.h"
#include "isolation/process/messages.h"
#include "isolation/process/systemd_scope.h"
#include "sys/placement.h"
#include "sys/socket.h"

namespace writ::isolation::process {
namespace {

constexpr Millis kStartWait{30'000};
constexpr std::size_t kCellsMax = 4096;
constexpr int kQuietMs = 4;  ///< without a request, before something is prepared ahead: a cell just given away needs the processors

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
  Result<> Handle(const sys::Message& message);
  struct Layers {
    PreparedLayer workspace, inputs, tools;
  };
  Result<> Give(const sys::Message& message);
  Result<> Offer();
  bool AheadWanted() const;
  void PrepareAhead();
  Result<Layers> Prepare(const Take& take, std::span<const sys::UniqueFd> directories, const CellIds& ids);
  Result<> Answer(CellReply reply, std::vector<int> fds, const Layers& layers);
  Result<> Hand(Cell cell, CellReply reply, const Layers& layers);
  Result<> Refuse(const Error& error, bool offer);
  void ReapDead();
  int End();

  sys::UniqueFd client_;
  const JailOptions options_;
  const Identity identity_;
  CgroupPlan cgroups_;
  FixedRoot fixed_root_;
  bool ahead_failed_ = false;
  Limits expected_;
  std::uint32_t wanted_ = options_.warm_cells;  ///< offers that the client still lacks
  std::map<std::uint64_t, Cell> cells_;         ///< all that the client holds
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

Result<> Jail::Answer(CellReply reply, std::vector<int> fds, const Layers& layers) {
  reply.workspace_is_copy = layers.workspace.copied;
  for (const PreparedLayer* layer : {&layers.workspace, &layers.inputs, &layers.tools})
    if (layer->mount.valid()) fds.push_back(layer->mount.get());
  WireWriter out;
  Encode(out, reply);
  return sys::SendMessage(client_, out.bytes(), fds, Deadline::After(kSendWait));
}

/// Gives the cell away: its control socket is the client's alone from here on, and closes when the client closes it.
Result<> Jail::Hand(Cell cell, CellReply reply, const Layers& layers) {
  reply.cell = next_cell_++;
  std::vector<int> fds = {cell.control().get(), cell.pidfd().get()};
  for (const auto& [name, fd] : cell.cgroup().Stats()) {
    reply.stats.push_back(name);
    fds.push_back(fd);
  }
  const std::uint64_t name = reply.cell;
  WRIT_TRY("hand over a cell", Answer(std::move(reply), std::move(fds), layers));
  cell.control().Reset();
  cells_.emplace(name, std::move(cell));
  return {};
}

Result<> Jail::Refuse(const Error& error, bool offer) {
  CellReply refusal;
  refusal.offer = offer;
  refusal.error = error;
  WireWriter out;
  Encode(out, refusal);
  return sys::SendMessage(client_, out.bytes(), {}, Deadline::After(kSendWait));
}

/// An empty cell with the limits of the last run.
Result<> Jail::Offer() {
  --wanted_;
  const auto make = [&]() -> Result<std::pair<Cell, Mechanisms>> {
    Cell cell = WRIT_TRY("cell", Cell::Make(identity_, cgroups_, fixed_root_, expected_, {}, Cell::Need::kAhead));
    Mechanisms enforced = WRIT_TRY("limits", cell.cgroup().Apply(expected_));
    return std::pair{std::move(cell), std::move(enforced)};
  };
  auto made = make();
  if (!made) return Refuse(made.error(), true);
  CellReply reply;
  reply.offer = true;
  reply.limits = expected_;
  reply.enforced = std::move(made->second);
  return Hand(std::move(made->first), std::move(reply), Layers());
}

/// What the next cell needs and nobody has to wait for. The first cell would wait for it, and a jail of one run makes no other.
bool Jail::AheadWanted() const {
  return !options_.one_run && next_cell_ > 1 && (fixed_root_.wanted() || (!cgroups_.made_ahead() && !ahead_failed_));
}

void Jail::PrepareAhead() {
  if (fixed_root_.wanted()) {
    fixed_root_.Make();  // where it cannot be had, each cell builds its own
    return;
  }
  // A cell that has none makes its own and reports what is wrong.
  ahead_failed_ = !cgroups_.MakeAhead(expected_).has_value();
}

Result<Jail::Layers> Jail::Prepare(const Take& take, std::span<const sys::UniqueFd> directories, const CellIds& ids) {
  Layers layers;
  std::size_t next = 0;
  if (!take.workspace_path.empty()) {
    const auto directory = WRIT_TRY("workspace", OpenSameDirectory(take.workspace_path, directories[next++]));
    layers.workspace = WRIT_TRY("prepare", PrepareWorkspace(directory, ids, take.limits.disk_bytes, take.limits.inodes));
  }
  if (!take.inputs_path.empty()) {
    const auto directory = WRIT_TRY("inputs", OpenSameDirectory(take.inputs_path, directories[next++]));
    layers.inputs = WRIT_TRY("prepare", PrepareInputs(directory));
  }
  if (!take.tools_path.empty()) {
    const auto directory = WRIT_TRY("tools", OpenSameDirectory(take.tools_path, directories[next++]));
    layers.tools = WRIT_TRY("prepare", PrepareInputs(directory));
  }
  return layers;
}

Result<> Jail::Give(const sys::Message& message) {
  const auto give = [&]() -> Result<> {
    const Take take = WRIT_TRY("take", DecodeTake(message.bytes));
    std::span<const sys::UniqueFd> directories = message.fds;
    const std::size_t expected = !take.root_path.empty() + !take.workspace_path.empty() + !take.inputs_path.empty() + !take.tools_path.empty();
    if (directories.size() != expected)
      return Fail(Code::kInvalid, "{} directories were named and {} descriptors sent", expected, directories.size());
    expected_ = take.limits;
    CellReply reply;
    reply.cell = take.cell;
    reply.limits = take.limits;
    if (take.cell != 0) {
      const auto held = cells_.find(take.cell);
      if (held == cells_.end()) return Fail(Code::kNotFound, "the cell has ended");
      if (!take.root_path.empty()) return Fail(Code::kInvalid, "another root needs a new cell");
      reply.enforced = WRIT_TRY("limits", held->second.cgroup().Apply(take.limits));
      return Answer(reply, {}, WRIT_TRY("layers", Prepare(take, directories, held->second.ids())));
    }
    if (cells_.size() >= kCellsMax) return Fail(Code::kExhausted, "{} guests are running already", kCellsMax);
    Cell::RootMaker root;
    sys::UniqueFd root_directory;
    if (!take.root_path.empty()) {
      root_directory = WRIT_TRY("root", OpenSameDirectory(take.root_path, directories[0]));
      directories = directories.subspan(1);
      root = [&](const CellIds& ids) { return PrepareRoot(root_directory, ids); };
    }
    Cell cell = WRIT_TRY("cell", Cell::Make(identity_, cgroups_, fixed_root_, take.limits, root, Cell::Need::kNow));
    reply.enforced = WRIT_TRY("limits", cell.cgroup().Apply(take.limits));
    const Layers layers = WRIT_TRY("layers", Prepare(take, directories, cell.ids()));
    return Hand(std::move(cell), std::move(reply), layers);
  };
  if (auto given = give(); !given) return Refuse(given.error(), false);
  return {};
}

Result<> Jail::Handle(const sys::Message& message) {
  WireReader in(message.bytes);
  switch (static_cast<JailRequest>(in.U32())) {
    case JailRequest::kPrepare:
      wanted_ = std::min<std::uint32_t>(wanted_ + 1, options_.warm_cells);
      return {};
    case JailRequest::kTake:
      return Give(message);
    case JailRequest::kKill:
      if (const auto found = cells_.find(in.U64()); found != cells_.end()) found->second.Kill();
      return {};
  }
  return Fail(Code::kInvalid, "unknown request");
}

void Jail::ReapDead() {
  std::vector<pollfd> items;
  std::vector<std::uint64_t> names;
  for (const auto& [name, cell] : cells_) {
    items.push_back({cell.pidfd().get(), POLLIN, 0});
    names.push_back(name);
  }
  if (items.empty() || ::poll(items.data(), items.size(), 0) <= 0) return;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].revents != 0) cells_.erase(names[i]);
}

int Jail::End() {
  cells_.clear();
  cgroups_.Sweep();
  return 0;
}

int Jail::Serve() {
  if (!SayHello()) return 1;
  for (;;) {
    std::vector<pollfd> items = {{client_.get(), POLLIN, 0}};
    for (const auto& [name, cell] : cells_) items.push_back({cell.pidfd().get(), POLLIN, 0});
    const bool ahead = AheadWanted();
    const int ready = ::poll(items.data(), items.size(), wanted_ > 0 ? 0 : ahead ? kQuietMs : -1);
    if (ready < 0 && errno != EINTR) return 1;
    if (items[0].revents != 0) {
      auto message = sys::ReceiveMessage(client_, kMessageBytesMax, Deadline::After(Millis{0}));
      if (!message) {
        if (message.error().code == Code::kDeadline) continue;
        return 1;
      }
      if (message->end) return End();
      if (!Handle(*message)) return 1;
      continue;  // requests first: housekeeping waits until none is left
    }
    ReapDead();
    if (wanted_ > 0) {
      if (!Offer()) return 1;
    } else if (ahead && ready == 0) {
      PrepareAhead();
    }
    if (options_.one_run && wanted_ == 0 && next_cell_ > 1 && cells_.empty()) return End();
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
  const auto start = sys::ReceiveMessage(client, kMessageBytesMax, Deadline::After(kStartWait));
  if (!start) return refuse(start.error());
  if (start->end) return 0;
  sys::Processors::FromText(AsText(start->bytes)).GiveBack();
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

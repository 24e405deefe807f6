#include "isolation/process/jail_client.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sys/placement.h"
#include "sys/socket.h"

namespace writ::isolation::process {
namespace {

constexpr int kJailSocket = 3;

Result<std::string> FindProgram(const std::string& given) {
  if (!given.empty()) return given;
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return FailErrno("/proc/self/exe");
  std::string directory(self, static_cast<std::size_t>(length));
  directory.resize(directory.rfind('/'));
  for (const std::string& path : {directory + "/writ-jail", directory + "/../libexec/writ/writ-jail"})
    if (::access(path.c_str(), X_OK) == 0) return path;
  return Fail(Code::kNotFound, "the program writ-jail is neither in {} nor in ../libexec/writ beside it: install it there", directory);
}

}  // namespace

Result<std::unique_ptr<JailClient>> JailClient::Start(const JailProgram& program) {
  const std::string path = WRIT_TRY("find writ-jail", FindProgram(program.path));
  auto [ours, theirs] = WRIT_TRY("socket", sys::SeqpacketPair());
  const std::string warm = std::to_string(program.warm_cells);
  const char* argv[] = {"writ-jail", warm.c_str(), program.delegated_cgroup.c_str(), program.one_run ? "one-run" : nullptr, nullptr};
  const char* environment[] = {nullptr};  // nothing of the caller's reaches the jail, so nothing reaches a guest

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // dup2 onto itself would keep close-on-exec; the kernel then drops the flag only through a second descriptor.
  const sys::UniqueFd high{::fcntl(theirs.get(), F_DUPFD_CLOEXEC, kJailSocket + 1)};
  posix_spawn_file_actions_adddup2(&actions, high.get(), kJailSocket);
  for (int fd = 0; fd < 3; ++fd) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  const auto processors = sys::Processors::Own();
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, const_cast<char**>(argv), const_cast<char**>(environment));
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return std::unexpected(ErrnoError(failed, fmt::format("start {}", path)));
  sys::UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!pidfd.valid()) return FailErrno("pidfd_open");
  processors.StartOnOther(pid, 2);  // this thread and the jail, which would wait for it otherwise
  const std::string start = processors.Text();
  WRIT_TRY("start writ-jail", sys::SendMessage(ours, AsBytes(start.empty() ? kAnyProcessor : start), {}, Deadline::After(Millis{1000})));
  return std::unique_ptr<JailClient>(new JailClient(std::move(ours), std::move(pidfd), pid, program));
}

JailClient::~JailClient() {
  socket_.Reset();
  // The jail kills and reaps its cells and removes their control groups; a jail that hangs is not waited for for ever.
  pollfd item{pidfd_.get(), POLLIN, 0};
  if (::poll(&item, 1, 10'000) == 1) ::waitpid(pid_, nullptr, 0);
}

Result<> JailClient::AwaitHello() {
  if (!offered_) {
    offered_ = [&]() -> Result<Mechanisms> {
      const auto message = WRIT_TRY("writ-jail", sys::ReceiveMessage(socket_, kMessageBytesMax, Deadline::After(kAnswerWait)));
      if (message.end) return Fail(Code::kUnavailable, "writ-jail ended before it was ready");
      Hello hello = WRIT_TRY("writ-jail", DecodeHello(message.bytes));
      if (hello.error) return std::unexpected(Error{Code::kUnavailable, hello.error->what});
      return hello.offered;
    }();
  }
  if (!*offered_) return std::unexpected(offered_->error());
  return {};
}

Result<Mechanisms> JailClient::Offered() {
  const std::lock_guard lock(mutex_);
  WRIT_TRY("process tier", AwaitHello());
  return *offered_;
}

Result<std::optional<TakenCell>> JailClient::Receive(Deadline deadline, bool for_held_cell) {
  auto answer = WRIT_TRY("hear from writ-jail", sys::ReceiveMessage(socket_, kMessageBytesMax, deadline));
  if (answer.end) return Fail(Code::kUnavailable, "writ-jail has ended");
  CellReply reply = WRIT_TRY("hear from writ-jail", DecodeCellReply(answer.bytes));
  if (reply.offer) --awaited_;
  if (reply.error && reply.offer) return std::nullopt;  // a kTake that follows meets the same failure and reports it
  if (reply.error) return std::unexpected(std::move(*reply.error));
  const bool held = for_held_cell && !reply.offer;
  const std::size_t named = held ? 0 : 2 + reply.stats.size();
  if (answer.fds.size() < named || answer.fds.size() > named + 3)
    return Fail(Code::kInternal, "writ-jail sent {} descriptors", answer.fds.size());
  TakenCell cell;
  cell.name = reply.cell;
  cell.limits = reply.limits;
  cell.enforced = std::move(reply.enforced);
  if (!held) {
    cell.control = std::move(answer.fds[0]);
    cell.pidfd = std::move(answer.fds[1]);
  }
  cell.workspace_is_copy = reply.workspace_is_copy;
  for (std::size_t i = 0; i < reply.stats.size(); ++i) cell.stats.emplace_back(reply.stats[i], std::move(answer.fds[2 + i]));
  if (answer.fds.size() > named) cell.workspace = std::move(answer.fds[named]);
  if (answer.fds.size() > named + 1) cell.inputs = std::move(answer.fds[named + 1]);
  if (answer.fds.size() > named + 2) cell.tools = std::move(answer.fds[named + 2]);
  if (!reply.offer) return cell;
  ready_.push_back(std::move(cell));
  return std::nullopt;
}

void JailClient::AskForAnother() {
  const std::lock_guard lock(mutex_);
  if (!refill_ || taken_ == 0) return;
  --taken_;
  WireWriter request;
  request.U32(static_cast<std::uint32_t>(JailRequest::kPrepare));
  // A jail that cannot be told has ended; the next request reports it.
  if (sys::SendMessage(socket_, request.bytes(), {}, Deadline::After(Millis{0}))) ++awaited_;
}

Result<std::optional<TakenCell>> JailClient::TakeOffered() {
  while (awaited_ > 0 && (ready_.empty() || sys::WaitReadable(socket_.get(), Deadline::After(Millis{0}))))
    WRIT_TRY("a cell prepared ahead", Receive(Deadline::After(kAnswerWait), false));
  while (!ready_.empty()) {
    TakenCell cell = std::move(ready_.front());
    ready_.pop_front();
    ++taken_;
    if (!sys::WaitReadable(cell.pidfd.get(), Deadline::After(Millis{0}))) return cell;  // its PID 1 lives
  }
  return std::nullopt;
}

Result<TakenCell> JailClient::TakeCell(Take take, const std::vector<int>& directories, bool doors) {
  const std::lock_guard lock(mutex_);
  WRIT_TRY("process tier", AwaitHello());
  std::optional<TakenCell> offered;
  if (take.root_path.empty()) offered = WRIT_TRY("take a cell", TakeOffered());
  if (offered) {
    // PID 1 itself changes the size of the writable places; the control group is the jail's.
    const Limits &has = offered->limits, &wants = take.limits;
    if (directories.empty() && has.memory_bytes == wants.memory_bytes && has.pids == wants.pids && has.cpu_millis == wants.cpu_millis)
      return std::move(*offered);
    take.cell = offered->name;
  }
  WireWriter request;
  Encode(request, take);
  if (request.bytes().size() > kMessageBytesMax) return Fail(Code::kInvalid, "the paths of the directories are too long");
  const Deadline deadline = Deadline::After(kAnswerWait);
  WRIT_TRY("ask writ-jail", sys::SendMessage(socket_, request.bytes(), directories, deadline));
  if (offered && doors) WRIT_TRY("ask the cell", sys::SendMessage(offered->control, AsBytes(kDoorsAhead), {}, deadline));
  std::optional<TakenCell> taken;
  while (!taken) taken = WRIT_TRY("ask writ-jail", Receive(deadline, offered.has_value()));
  // Mounts come in the order of the paths that were named: each moves to the place of its own, the last one first.
  sys::UniqueFd* const places[] = {&taken->workspace, &taken->inputs, &taken->tools};
  const bool named[] = {!take.workspace_path.empty(), !take.inputs_path.empty(), !take.tools_path.empty()};
  for (int place = 2; place > 0; --place) {
    const int from = named[0] * (place > 0) + named[1] * (place > 1);
    if (named[place] && from != place) *places[place] = std::move(*places[from]);
  }
  if (offered) {
    taken->control = std::move(offered->control);
    taken->pidfd = std::move(offered->pidfd);
    taken->stats = std::move(offered->stats);
  }
  return std::move(*taken);
}

void JailClient::Kill(std::uint64_t cell) {
  WireWriter request;
  request.U32(static_cast<std::uint32_t>(JailRequest::kKill)).U64(cell);
  const std::lock_guard lock(mutex_);
  // A jail that cannot be told has ended, and its cells with it.
  [[maybe_unused]] const auto told = sys::SendMessage(socket_, request.bytes(), {}, Deadline::After(kAnswerWait));
}

}  // namespace writ::isolation::process

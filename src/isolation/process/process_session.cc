#include "isolation/process/process_session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>

#include "isolation/process/cell_stats.h"
#include "isolation/process/remote_tree.h"
#include "isolation/process/stream_pump.h"
#include "sys/socket.h"

namespace writ::isolation::process {
namespace {

constexpr Millis kStartWait{60'000};
/// PID 1 ends the guest at its deadline; this long after it the client stops waiting for that and kills the cell.
constexpr Millis kBackstop{5'000};
constexpr Millis kStartingTime{10};

class ProcessSession final : public Session {
 public:
  ProcessSession(std::shared_ptr<JailClient> jail, TakenCell cell, Limits limits, bool kill_on_output_limit, OutputSink& sink)
      : jail_(std::move(jail)),
        cell_(cell.name),
        control_(std::make_shared<sys::UniqueFd>(std::move(cell.control))),
        pidfd_(std::move(cell.pidfd)),
        stats_(std::move(cell.stats)),
        limits_(limits),
        kill_on_output_limit_(kill_on_output_limit),
        opener_(control_) {
    streams_.reserve(2);
    sink_ = &sink;
    guarantees_.tier = "process";
    guarantees_.backend = "writ-jail/" WRIT_VERSION;
    guarantees_.enforced = std::move(cell.enforced);
    guarantees_.enforced["stdout"] = guarantees_.enforced["stderr"] = "pipe";
  }
  ~ProcessSession() override;

  Result<> Launch(const CellLaunch& launch, std::span<const int> fds);
  Result<> AwaitStart(std::string program);
  void AddStream(Stream stream, sys::UniqueFd fd, std::uint64_t bytes_max) {
    streams_.emplace_back(stream, std::move(fd), bytes_max);
  }
  void AddTerminalInput(sys::UniqueFd fd) { input_ = std::move(fd); }

  Result<Outcome> Wait(Deadline deadline) override;
  void Kill(Termination how) noexcept override;
  void Resize(SessionSpec::Terminal size) noexcept override;
  const Guarantees& guarantees() const noexcept override { return guarantees_; }
  Result<GuestTree> Tree(Place place) override;
  Result<NetworkDoors> TakeDoors() override;
  void Close() noexcept override { control_->Reset(); }

 private:
  void MakeUp();
  Result<> Step(Deadline deadline);
  Result<> ReadControl();
  Result<> ReadPlaces();
  Result<> PumpInput();
  Result<> CheckCpu();
  Outcome Conclude();
  bool Finished() const;

  std::shared_ptr<JailClient> jail_;
  const std::uint64_t cell_;
  std::shared_ptr<sys::UniqueFd> control_;
  sys::UniqueFd pidfd_;
  CellStats stats_;
  const Limits limits_;
  const bool kill_on_output_limit_;
  OutputSink* sink_;
  std::vector<StreamPump> streams_;
  sys::UniqueFd terminal_, input_;
  Guarantees guarantees_;
  RemoteTreeOpener opener_;
  std::string program_;
  std::atomic<int> kill_reason_{-1};
  std::optional<EndReport> end_;
  std::optional<NetworkDoors> doors_;
  std::map<Place, EntryReply> places_;  ///< as PID 1 opened them after the end
  bool cell_died_ = false;
  Deadline backstop_ = Deadline::Never();
  Deadline next_cpu_check_ = Deadline::Never();
  Deadline make_up_ = Deadline::After(kStartingTime);  ///< when the jail is told to prepare a cell in place of the one taken
};

/// Has the jail replace the cell that was taken, once. Making one takes the processor and locks of the kernel that a
/// starting guest needs too, and so does whoever looks at what a short guest left: it waits until the guest has run for a
/// while, or until the session goes.
void ProcessSession::MakeUp() {
  if (make_up_.never()) return;
  make_up_ = Deadline::Never();
  jail_->AskForAnother();
}

ProcessSession::~ProcessSession() {
  MakeUp();
  // PID 1 exits when its socket closes, and every process of the cell with it.
  control_->Reset();
  if (!sys::WaitReadable(pidfd_.get(), Deadline::After(Millis{1000}))) {
    jail_->Kill(cell_);
    [[maybe_unused]] const auto dead = sys::WaitReadable(pidfd_.get(), Deadline::After(Millis{10'000}));
  }
}

Result<> ProcessSession::Launch(const CellLaunch& launch, std::span<const int> fds) {
  WireWriter request;
  Encode(request, launch);
  return sys::SendMessage(*control_, request.bytes(), fds, Deadline::After(kStartWait));
}

Result<> ProcessSession::AwaitStart(std::string program) {
  program_ = std::move(program);
  auto message = WRIT_TRY("start the cell", sys::ReceiveMessage(*control_, kMessageBytesMax, Deadline::After(kStartWait)));
  if (message.end) return Fail(Code::kUnavailable, "the cell's PID 1 died while it was being made{}",
                               stats_.OutOfMemoryKills() > 0 ? ": the memory limit is too small for a cell" : "");
  if (WireReader(message.bytes).U32() == static_cast<std::uint32_t>(InitReport::kDoors)) {
    NetworkDoors doors;
    const auto slots = DoorsOf(doors);
    if (message.fds.size() != slots.size() && message.fds.size() != kDoorsWithoutIpv6)
      return Fail(Code::kInternal, "PID 1 sent {} doors", message.fds.size());
    for (std::size_t i = 0; i < message.fds.size(); ++i) *slots[i] = std::move(message.fds[i]);
    doors_ = std::move(doors);
    message = WRIT_TRY("start the cell", sys::ReceiveMessage(*control_, kMessageBytesMax, Deadline::After(kStartWait)));
  }
  WireReader in(message.bytes);
  const auto kind = static_cast<InitReport>(in.U32());
  if (kind == InitReport::kFailed) {
    const auto code = static_cast<Code>(in.U32());
    return std::unexpected(Error{code, in.Text()});
  }
  if (kind != InitReport::kStarted) return Fail(Code::kInternal, "PID 1 sent an unexpected report");
  for (auto& [name, mechanism] : DecodeMechanisms(in)) guarantees_.enforced[name] = mechanism;
  WRIT_TRY("start the cell", in.Done());
  if (message.fds.size() == 1) {
    terminal_ = std::move(message.fds[0]);
    sys::UniqueFd reading{::fcntl(terminal_.get(), F_DUPFD_CLOEXEC, 3)};
    if (!reading.valid()) return FailErrno("copy the terminal");
    AddStream(Stream::kStdout, std::move(reading), limits_.stdout_bytes);
  }
  backstop_ = Deadline::After(limits_.wall_time + kBackstop);
  if (stats_.CountsCpu()) next_cpu_check_ = Deadline::After(limits_.cpu_time * 1000 / std::max(1000u, limits_.cpu_millis));
  return {};
}

void ProcessSession::Kill(Termination how) noexcept {
  int none = -1;
  if (!kill_reason_.compare_exchange_strong(none, static_cast<int>(how))) return;
  WireWriter request;
  request.U32(static_cast<std::uint32_t>(InitRequest::kKill));
  if (!sys::SendMessage(*control_, request.bytes(), {}, Deadline::After(Millis{1000}))) jail_->Kill(cell_);
}

void ProcessSession::Resize(SessionSpec::Terminal size) noexcept {
  if (!terminal_.valid()) return;
  WireWriter request;
  request.U32(static_cast<std::uint32_t>(InitRequest::kResize)).U32(size.rows).U32(size.columns);
  // A size that did not arrive is corrected by the next change; the guest is not worth ending for it.
  [[maybe_unused]] const auto sent = sys::SendMessage(*control_, request.bytes(), {}, Deadline::After(Millis{100}));
}

bool ProcessSession::Finished() const {
  return (end_ || cell_died_) && std::all_of(streams_.begin(), streams_.end(), [](const StreamPump& s) { return s.closed(); });
}

Result<> ProcessSession::ReadControl() {
  auto message = WRIT_TRY("hear from the cell", sys::ReceiveMessage(*control_, kMessageBytesMax, Deadline::After(Millis{0})));
  if (message.end) {
    cell_died_ = true;
    return {};
  }
  WireReader in(message.bytes);
  const auto kind = static_cast<InitReport>(in.U32());
  if (kind == InitReport::kEnded) {
    end_ = DecodeEndReport(in);
  } else if (kind == InitReport::kFailed) {
    in.U32();
    return Fail(Code::kInternal, "the cell failed: {}", in.Text());
  }
  return in.Done();
}

/// Copies the caller's input into the terminal; its end becomes the terminal's end-of-file character.
Result<> ProcessSession::PumpInput() {
  char chunk[4096];
  const ssize_t got = ::read(input_.get(), chunk, sizeof chunk);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  std::string_view data(chunk, got > 0 ? static_cast<std::size_t>(got) : 0);
  if (got <= 0) {
    input_.Reset();
    data = "\x04";
  }
  for (std::size_t done = 0; done < data.size();) {
    const ssize_t wrote = ::write(terminal_.get(), data.data() + done, data.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      input_.Reset();  // the guest's side is closed: nobody reads any more
      return {};
    }
    done += static_cast<std::size_t>(wrote);
  }
  return {};
}

/// The group's processor time cannot pass the limit before (limit - used) / cores has gone by: sleep until then.
Result<> ProcessSession::CheckCpu() {
  if (!next_cpu_check_.Passed()) return {};
  const auto used = stats_.CpuTime();
  if (!used) return Fail(Code::kInternal, "the cell's processor time cannot be read");
  if (*used >= limits_.cpu_time) {
    Kill(Termination::kCpuLimit);
    next_cpu_check_ = Deadline::Never();
    return {};
  }
  const Millis left = (limits_.cpu_time - *used) * 1000 / std::max(1000u, limits_.cpu_millis);
  next_cpu_check_ = Deadline::After(std::max(left, Millis{5}));
  return {};
}

Result<> ProcessSession::Step(Deadline deadline) {
  pollfd items[8];
  nfds_t count = 0;
  const auto add = [&](int fd, short events) {
    items[count] = {fd, events, 0};
    return count++;
  };
  const bool listening = !end_ && !cell_died_;
  const nfds_t control = listening ? add(control_->get(), POLLIN) : 0;
  nfds_t at[2] = {};
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i].closed()) continue;
    // Of a guest that is dead only what its pipes hold is left: it is taken at once, so that a reader that does not
    // read cannot keep the run from its receipt.
    const int waiting = end_ || cell_died_ ? -1 : sink_->NotReady(streams_[i].stream());
    at[i] = waiting >= 0 ? add(waiting, POLLOUT) : add(streams_[i].fd(), POLLIN);
    streams_[i].set_blocked(waiting >= 0);
  }
  const bool typing = listening && input_.valid() && terminal_.valid();
  const nfds_t typed = typing ? add(input_.get(), POLLIN) : 0;
  if (make_up_.Passed()) MakeUp();
  const Deadline until = deadline.Earlier(backstop_).Earlier(next_cpu_check_).Earlier(make_up_);
  if (::poll(items, count, until.PollTimeoutMs()) < 0) {
    if (errno == EINTR) return {};
    return FailErrno("poll");
  }
  if (listening && items[control].revents != 0) WRIT_TRY("cell", ReadControl());
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i].closed() || streams_[i].blocked() || items[at[i]].revents == 0) continue;
    const bool over = WRIT_TRY("output", streams_[i].Pump(*sink_));
    if (over && kill_on_output_limit_) Kill(Termination::kOutputLimit);
  }
  if (typing && items[typed].revents != 0) WRIT_TRY("input", PumpInput());
  if (listening) WRIT_TRY("processor time", CheckCpu());
  if (backstop_.Passed() && listening) {
    jail_->Kill(cell_);
    backstop_ = Deadline::Never();
  }
  return {};
}

Result<Outcome> ProcessSession::Wait(Deadline deadline) {
  while (!Finished()) {
    if (Result<> step = Step(deadline); !step) {
      Kill(Termination::kInterrupted);
      jail_->Kill(cell_);
      return std::unexpected(std::move(step.error()));
    }
    if (!Finished() && deadline.Passed()) return Fail(Code::kDeadline, "the guest is still running");
  }
  return Conclude();
}

Outcome ProcessSession::Conclude() {
  Outcome outcome;
  const int reason = kill_reason_.load();
  const bool out_of_memory = stats_.OutOfMemoryKills() > 0;
  if (!end_) {
    outcome.how = out_of_memory ? Termination::kMemoryLimit : reason >= 0 ? static_cast<Termination>(reason) : Termination::kInterrupted;
    outcome.message = out_of_memory ? "the memory limit ended the cell's own PID 1" : "the cell ended before it could report";
  } else {
    const int status = end_->wait_status;
    switch (end_->cause) {
      case EndReport::Cause::kExecFailed:
        outcome.how = Termination::kNotStarted;
        outcome.code = end_->exec_errno == ENOENT || end_->exec_errno == ENOTDIR ? 127 : 126;
        outcome.message = fmt::format("cannot execute {}: {}", program_, ::strerrordesc_np(end_->exec_errno) ?: "unknown error");
        break;
      case EndReport::Cause::kTimeLimit:
        outcome.how = Termination::kTimeLimit;
        outcome.message = fmt::format("the time limit of {} ms ended it", limits_.wall_time.count());
        break;
      case EndReport::Cause::kKilled:
        outcome.how = reason >= 0 ? static_cast<Termination>(reason) : Termination::kCancelled;
        if (outcome.how == Termination::kCpuLimit)
          outcome.message = fmt::format("the processor time limit of {} ms ended it", limits_.cpu_time.count());
        if (outcome.how == Termination::kOutputLimit) outcome.message = "the output limit ended it";
        if (outcome.how == Termination::kEgressBudget) outcome.message = "the limits of its network ended it";
        break;
      case EndReport::Cause::kItself:
        if (WIFSIGNALED(status)) {
          outcome.how = Termination::kSignal;
          outcome.code = WTERMSIG(status);
        } else {
          outcome.how = Termination::kExited;
          outcome.code = WEXITSTATUS(status);
        }
        if (out_of_memory && (outcome.how == Termination::kSignal || outcome.code != 0)) {
          outcome.how = Termination::kMemoryLimit;
          outcome.message = fmt::format("the memory limit of {} bytes ended a process of it", limits_.memory_bytes);
        } else if (out_of_memory) {
          outcome.message = "the memory limit ended a process of it, and the command went on";
        }
        if (outcome.how == Termination::kSignal && outcome.code == SIGXCPU && guarantees_.enforced["cpu-time"] == "rlimit")
          outcome.how = Termination::kCpuLimit;
        break;
    }
    outcome.use.wall_us = end_->wall_us;
    outcome.use.cpu_user_us = end_->user_us;
    outcome.use.cpu_system_us = end_->system_us;
    // A guest that ignores SIGCHLD hides its children's time from whoever reaps them; the group has counted it.
    if (const auto counted = stats_.CpuTime())
      *outcome.use.cpu_user_us = std::max(*outcome.use.cpu_user_us, counted->count() * 1000 - end_->system_us);
  }
  outcome.use.memory_peak_bytes = stats_.MemoryPeak();
  for (const StreamPump& stream : streams_) {
    const bool out = stream.stream() == Stream::kStdout;
    (out ? outcome.use.stdout_bytes : outcome.use.stderr_bytes) = stream.bytes_seen();
    (out ? outcome.stdout_truncated : outcome.stderr_truncated) = stream.truncated();
  }
  return outcome;
}

Result<NetworkDoors> ProcessSession::TakeDoors() {
  if (!doors_) return Fail(Code::kUnavailable, "this session has no network doors");
  NetworkDoors doors = std::move(*doors_);
  doors_.reset();
  return doors;
}

Result<> ProcessSession::ReadPlaces() {
  auto message = WRIT_TRY("hear from the cell", sys::ReceiveMessage(*control_, kMessageBytesMax, Deadline::After(kStartWait)));
  WireReader in(message.bytes);
  if (static_cast<InitReport>(in.U32()) != InitReport::kPlaces) return Fail(Code::kInternal, "PID 1 sent an unexpected report");
  std::map<Place, EntryReply> places;
  std::size_t next = 0;
  for (const Place place : kPlaces) {
    EntryReply& opened = places[place] = DecodeEntryReply(in);
    if (opened.error) continue;
    if (next == message.fds.size()) return Fail(Code::kInternal, "PID 1 sent {} descriptors at the end", next);
    opened.entry.fd = std::move(message.fds[next++]);
  }
  WRIT_TRY("hear from the cell", in.Done());
  places_ = std::move(places);
  return {};
}

Result<GuestTree> ProcessSession::Tree(Place place) {
  if (!end_) return Fail(Code::kUnavailable, "the cell is gone, and what the guest wrote with it");
  if (places_.empty()) WRIT_TRY("open what the guest left", ReadPlaces());
  const EntryReply& opened = places_[place];
  if (opened.error) return std::unexpected(Error(*opened.error).Doing("open what the guest left"));
  sys::UniqueFd root{::fcntl(opened.entry.fd.get(), F_DUPFD_CLOEXEC, 3)};
  if (!root.valid()) return FailErrno("copy a descriptor");
  return GuestTree{std::move(root), &opener_, opened.complete};
}

}  // namespace

Result<std::unique_ptr<Session>> StartProcessSession(std::shared_ptr<JailClient> jail, SessionSpec spec, OutputSink& sink) {
  LaunchBody body;
  body.argv = spec.argv;
  body.env = std::move(spec.env);
  body.cwd = spec.cwd;
  body.limits = spec.limits;
  body.accepted = spec.accepted;
  body.files = std::move(spec.files);
  CellLaunch launch{spec.terminal.has_value(), !spec.terminal && spec.stdin_fd.valid(), spec.workspace.has_value(), false,
                    spec.inputs.has_value(), spec.doors, spec.tools.has_value()};
  if (spec.terminal) {
    body.rows = spec.terminal->rows;
    body.columns = spec.terminal->columns;
  }
  WireWriter body_bytes;
  Encode(body_bytes, body);
  const auto sealed = WRIT_TRY("launch", SealBody(body_bytes.bytes()));
  std::vector<int> fds = {sealed.get()};
  sys::UniqueFd out_read, out_write, err_read, err_write;
  if (!spec.terminal) {
    for (auto [reading, writing] : {std::pair{&out_read, &out_write}, {&err_read, &err_write}}) {
      int ends[2];
      if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("pipe");
      *reading = sys::UniqueFd{ends[0]};
      *writing = sys::UniqueFd{ends[1]};
      fds.push_back(ends[1]);
    }
    if (launch.stdin_fd) fds.push_back(spec.stdin_fd.get());
  }
  Take take;
  take.limits = spec.limits;
  std::vector<int> directories;
  for (const auto& [layer, path] : {std::pair{&spec.root, &take.root_path}, {&spec.workspace, &take.workspace_path},
                                    {&spec.inputs, &take.inputs_path}, {&spec.tools, &take.tools_path}}) {
    if (!*layer) continue;
    if ((*layer)->host_path.empty()) return Fail(Code::kInvalid, "a directory to show has no path");
    *path = (*layer)->host_path;
    directories.push_back((*layer)->fd.get());
  }
  TakenCell cell = WRIT_TRY("launch", jail->TakeCell(std::move(take), directories, launch.doors));
  launch.workspace_is_copy = cell.workspace_is_copy;
  const sys::UniqueFd workspace = std::move(cell.workspace), inputs = std::move(cell.inputs), tools = std::move(cell.tools);
  for (const sys::UniqueFd* mount : {&workspace, &inputs, &tools})
    if (mount->valid()) fds.push_back(mount->get());
  auto session = std::make_unique<ProcessSession>(std::move(jail), std::move(cell), spec.limits, spec.kill_on_output_limit, sink);
  WRIT_TRY("launch", session->Launch(launch, fds));
  out_write.Reset();
  err_write.Reset();
  if (!spec.terminal) {
    session->AddStream(Stream::kStdout, std::move(out_read), spec.limits.stdout_bytes);
    session->AddStream(Stream::kStderr, std::move(err_read), spec.limits.stderr_bytes);
  } else if (spec.stdin_fd.valid()) {
    session->AddTerminalInput(std::move(spec.stdin_fd));
  }
  WRIT_TRY("launch", session->AwaitStart(spec.argv[0]));
  return session;
}

}  // namespace writ::isolation::process

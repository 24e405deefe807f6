#include "isolation/fake/fake_session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace writ::isolation::fake {
namespace {

/// Writes a file and its directories; replaces what is there.
Result<> PutFile(const std::filesystem::path& path, const std::string& content, std::uint32_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return std::unexpected(ErrnoError(error.value(), path.parent_path().string()));
  const sys::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file.valid()) return FailErrno(path.string());
  std::string_view rest = content;
  while (!rest.empty()) {
    const ssize_t n = ::write(file.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno(path.string());
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fchmod(file.get(), mode) != 0) return FailErrno(path.string());
  return {};
}

}  // namespace

FakeSession::FakeSession(SessionSpec spec, Script script, OutputSink& sink, std::filesystem::path directory)
    : spec_(std::move(spec)),
      script_(std::move(script)),
      sink_(sink),
      directory_(std::move(directory)),
      guarantees_{.tier = "process", .backend = "fake/1", .enforced = {}},
      started_(std::chrono::steady_clock::now()) {
  for (const char* limit : {"cpu-time", "cpus", "memory", "pids", "files", "disk", "inodes"})
    guarantees_.enforced[limit] = "fake";
  guarantees_.enforced["wall-time"] = "script";
  guarantees_.enforced["stdout"] = guarantees_.enforced["stderr"] = "pipe";
  guarantees_.enforced["network"] = "none";
}

FakeSession::~FakeSession() {
  std::error_code ignored;  // a destructor has nobody to tell; the scratch directory belongs to the test
  std::filesystem::remove_all(directory_, ignored);
}

std::optional<Termination> FakeSession::killed() {
  const std::lock_guard lock(mutex_);
  return kill_;
}

void FakeSession::Kill(Termination how) noexcept {
  const std::lock_guard lock(mutex_);
  if (!kill_) kill_ = how;
  kill_change_.notify_all();
}

void FakeSession::Resize(SessionSpec::Terminal size) noexcept {
  if (spec_.terminal) spec_.terminal = size;
}

std::filesystem::path FakeSession::PathOf(Place place, const std::string& path) const {
  return directory_ / (place == Place::kOut ? "out" : "work") / path;
}

Result<> FakeSession::Emit(Stream stream, ByteView bytes) {
  const bool out = stream == Stream::kStdout;
  std::uint64_t& written = out ? outcome_.use.stdout_bytes : outcome_.use.stderr_bytes;
  bool& truncated = out ? outcome_.stdout_truncated : outcome_.stderr_truncated;
  const std::uint64_t limit = out ? spec_.limits.stdout_bytes : spec_.limits.stderr_bytes;
  const std::uint64_t room = limit - std::min(limit, written);
  written += bytes.size();
  const auto kept = bytes.first(std::min<std::uint64_t>(room, bytes.size()));
  if (!kept.empty()) WRIT_TRY("output", sink_.Write(stream, kept));
  if (kept.size() < bytes.size() && !truncated) {
    truncated = true;
    WRIT_TRY("output", sink_.Truncated(stream));
    if (spec_.kill_on_output_limit) Kill(Termination::kOutputLimit);
  }
  return {};
}

Result<FakeSession::Progress> FakeSession::PassTime(Millis duration, Deadline deadline) {
  if (!sleep_until_) sleep_until_ = std::chrono::steady_clock::now() + duration;
  const MonoTime limit = started_ + spec_.limits.wall_time;
  const MonoTime wake = std::min({*sleep_until_, limit, deadline.when()});
  std::unique_lock lock(mutex_);
  while (!kill_ && std::chrono::steady_clock::now() < wake) kill_change_.wait_until(lock, wake);
  if (kill_) return Progress::kEnded;
  const MonoTime now = std::chrono::steady_clock::now();
  if (now >= *sleep_until_ && *sleep_until_ <= limit) {
    sleep_until_.reset();
    return Progress::kDone;
  }
  if (now >= limit) {
    kill_ = Termination::kTimeLimit;
    return Progress::kEnded;
  }
  return Progress::kAgain;
}

Result<FakeSession::Progress> FakeSession::Play(const Step& step, Deadline deadline) {
  if (const auto* print = std::get_if<Print>(&step)) {
    WRIT_TRY("print", Emit(print->stream, AsBytes(print->bytes)));
  } else if (const auto* flood = std::get_if<Flood>(&step)) {
    static constexpr std::size_t kChunk = 64 << 10;
    const std::string chunk(kChunk, 'x');
    for (std::uint64_t left = flood->count; left > 0 && !killed(); left -= std::min<std::uint64_t>(left, kChunk))
      WRIT_TRY("flood", Emit(flood->stream, AsBytes(chunk).first(std::min<std::uint64_t>(left, kChunk))));
  } else if (const auto* file = std::get_if<WriteFile>(&step)) {
    WRIT_TRY("write", PutFile(PathOf(file->place, file->path), file->content, file->mode));
  } else if (const auto* link = std::get_if<MakeLink>(&step)) {
    const auto path = PathOf(link->place, link->path);
    if (::symlink(link->target.c_str(), path.c_str()) != 0) return FailErrno("link " + path.string());
  } else if (const auto* gone = std::get_if<Delete>(&step)) {
    const auto path = PathOf(Place::kWorkspace, gone->path);
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return std::unexpected(ErrnoError(error.value(), path.parent_path().string()));
    if (::mknod(path.c_str(), S_IFCHR, 0) != 0) return FailErrno("whiteout " + path.string());
  } else if (const auto* sleep = std::get_if<Sleep>(&step)) {
    return PassTime(sleep->duration, deadline);
  } else if (std::holds_alternative<CopyStdin>(step)) {
    std::array<std::uint8_t, 4096> buffer{};
    for (;;) {
      const ssize_t n = spec_.stdin_fd.valid() ? ::read(spec_.stdin_fd.get(), buffer.data(), buffer.size()) : 0;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FailErrno("read standard input");
      if (n == 0) break;
      WRIT_TRY("copy", Emit(Stream::kStdout, ByteView(buffer).first(static_cast<std::size_t>(n))));
    }
  } else if (const auto* call = std::get_if<Call>(&step)) {
    call->function();
  }
  return Progress::kDone;
}

Result<Outcome> FakeSession::Wait(Deadline deadline) {
  while (!ended_ && next_step_ < script_.steps.size() && !killed()) {
    const Progress progress = WRIT_TRY("play", Play(script_.steps[next_step_], deadline));
    if (progress == Progress::kAgain) return Fail(Code::kDeadline, "the guest is still running");
    if (progress == Progress::kEnded) break;
    ++next_step_;
  }
  if (!ended_) {
    if (script_.wait_error) return std::unexpected(*script_.wait_error);
    const auto use = outcome_.use;
    const bool out_cut = outcome_.stdout_truncated, err_cut = outcome_.stderr_truncated;
    outcome_ = script_.end;
    outcome_.use.stdout_bytes = use.stdout_bytes;
    outcome_.use.stderr_bytes = use.stderr_bytes;
    outcome_.stdout_truncated = out_cut;
    outcome_.stderr_truncated = err_cut;
    if (const auto how = killed()) {
      outcome_.how = *how;
      outcome_.code = 0;
      outcome_.message = std::string(TerminationName(*how));
      const auto wall = std::chrono::steady_clock::now() - started_;
      outcome_.use.wall_us = std::chrono::duration_cast<std::chrono::microseconds>(wall).count();
    }
    ended_ = true;
  }
  return outcome_;
}

/// A script opens no connections, so the doors are there and nobody comes.
Result<NetworkDoors> FakeSession::TakeDoors() {
  if (!spec_.doors) return Session::TakeDoors();
  return NetworkDoors();
}

Result<GuestTree> FakeSession::Tree(Place place) {
  if (!ended_) return Fail(Code::kInvalid, "the guest is still running");
  GuestTree tree;
  tree.root = WRIT_TRY("open guest tree", sys::OpenDirectory(PathOf(place, "").string()));
  tree.opener = &opener_;
  tree.complete = place == Place::kOut || !spec_.workspace;
  return tree;
}

}  // namespace writ::isolation::fake

#include "storage/blobs/directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <map>
#include <mutex>

#include "base/ids.h"
#include "crypto/digest.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

constexpr std::size_t kReadStep = 64u << 10;
constexpr std::size_t kFanOutLetters = 2;
constexpr std::size_t kNamesMax = 1u << 22;  // per fan-out directory
constexpr Millis kAbandonedAfter = std::chrono::hours{24};
constexpr const char* kTemporaryName = "tmp";

WallTime FromTimespec(const struct timespec& time) {
  return WallTime(Millis(std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000));
}

/// Tells a file from another of its name; with its time of change also from one that was written or made since.
struct Mark {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const Mark&) const = default;

  static Mark OfFile(const struct stat& status) {
    return {status.st_dev, status.st_ino, status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
  }
  static Mark OfDirectory(const struct stat& status) { return {status.st_dev, status.st_ino, 0}; }
};

/// What this process has synced and need not sync again: each sync waits for the disk. Thread-safe. Empty at the start,
/// and it may forget.
class Synced {
 public:
  bool Has(const std::string& name, const Mark& mark) const {
    const std::lock_guard hold(mutex_);
    const auto found = marks_.find(name);
    return found != marks_.end() && found->second == mark;
  }
  void Note(const std::string& name, const Mark& mark) {
    const std::lock_guard hold(mutex_);
    if (marks_.size() >= kMax) marks_.clear();
    marks_.insert_or_assign(name, mark);
  }

 private:
  static constexpr std::size_t kMax = 8192;
  mutable std::mutex mutex_;
  std::map<std::string, Mark> marks_;  ///< guarded by mutex_
};

/// `blobs/` and what several objects need of it.
struct Place {
  std::string path;
  sys::UniqueFd root;
  StateAccess access;
  BlobDirectoryOptions options;
  std::shared_ptr<Synced> synced = std::make_shared<Synced>();

  void Step(std::string_view step) const {
    if (options.before_step) options.before_step(step);
  }

  /// A lock between those that store and those that remove, held until the descriptor is closed. It needs an open
  /// file description of its own: two locks through one would replace each other.
  Result<sys::UniqueFd> Lock(int operation) const {
    sys::UniqueFd fd(::openat(root.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return FailErrno(path);
    while (::flock(fd.get(), operation) != 0) {
      if (errno != EINTR) return FailErrno(fmt::format("lock {}", path));
    }
    return fd;
  }

  Result<sys::UniqueFd> Directory(const std::string& name, bool make) const {
    sys::UniqueFd fd(::openat(root.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd.valid()) return fd;
    if (errno != ENOENT || !make) return FailErrno(fmt::format("{}/{}", path, name));
    Step("make directory");
    if (::mkdirat(root.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
      return FailErrno(fmt::format("make {}/{}", path, name));
    }
    return Directory(name, false);
  }
};

Result<Mark> MarkOfDirectory(const sys::UniqueFd& directory) {
  struct stat status{};
  if (::fstat(directory.get(), &status) != 0) return FailErrno("stat");
  return Mark::OfDirectory(status);
}

std::string FanOut(std::string_view hash) { return std::string(hash.substr(0, kFanOutLetters)); }

std::unexpected<Error> NoSuchBlob(std::string_view hash) { return Fail(Code::kNotFound, "there is no blob {}", hash); }

std::unexpected<Error> WrongContent(std::string_view path, std::string_view hash) {
  return Fail(Code::kCorrupt,
              "blob {}/{}/{} has other content than its name says; remove it, and fetch or make it again", path,
              hash.substr(0, kFanOutLetters), hash);
}

Result<sys::UniqueFd> OpenBlob(const Place& place, std::string_view hash) {
  if (!crypto::IsHash(hash)) return Fail(Code::kInvalid, "a blob is named by a SHA-256 in lower-case hex");
  const std::string below = fmt::format("{}/{}", FanOut(hash), hash);
  sys::UniqueFd fd(::openat(place.root.get(), below.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT) return NoSuchBlob(hash);
    return FailErrno(fmt::format("open {}/{}", place.path, below));
  }
  const sys::FileMeta meta = WRIT_TRY("open blob", sys::MetaOf(fd.get()));
  if (meta.type != sys::FileType::kRegular) return WrongContent(place.path, hash);
  return fd;
}

/// Whether a file's content has this hash.
Result<bool> HasContent(int fd, std::string_view hash) {
  crypto::Sha256 digest;
  std::vector<std::uint8_t> buffer(kReadStep);
  for (;;) {
    const std::size_t got = WRIT_TRY("read blob", sys::ReadFull(fd, buffer));
    digest.Update(std::span(buffer).first(got));
    if (got < buffer.size()) return digest.FinishHex() == hash;
  }
}

class DirectoryBlobWriter final : public BlobWriter {
 public:
  explicit DirectoryBlobWriter(std::shared_ptr<const Place> place) : place_(std::move(place)) {}
  ~DirectoryBlobWriter() override {
    if (!name_.empty()) ::unlinkat(directory_.get(), name_.c_str(), 0);
  }

  Result<> Write(ByteView bytes) override {
    if (finished_) return std::unexpected(closed_);
    digest_.Update(bytes);
    bytes_ += bytes.size();
    if (!fd_.valid() && bytes_ <= kHeldMax) {
      held_.append(AsText(bytes));
      return {};
    }
    return ToFile(bytes);
  }

  Result<std::string> Finish(Durability durability, std::string_view expected_hash) override {
    if (finished_) return std::unexpected(closed_);
    finished_ = true;
    std::string hash = digest_.FinishHex();
    if (!expected_hash.empty() && hash != expected_hash) {
      fd_.Reset();
      return Fail(Code::kCorrupt, "the content is not what its hash {} says", expected_hash);
    }
    auto stored = Store(hash, durability);
    fd_.Reset();
    if (!stored)
      return std::unexpected(std::move(stored).error().Doing(fmt::format("store a blob in {}", place_->path)));
    return hash;
  }

  std::uint64_t bytes() const override { return bytes_; }

 private:
  /// Small contents stay in memory until it is known that they are not here already: those cost no file.
  static constexpr std::size_t kHeldMax = 64u << 10;

  /// Writes what is held, and `bytes`, to the temporary file.
  Result<> ToFile(ByteView bytes) {
    auto written = [&]() -> Result<> {
      if (!fd_.valid()) WRIT_TRY("create", OpenFile());
      place_->Step("write");
      if (!held_.empty()) WRIT_TRY("write", sys::WriteAll(fd_.get(), AsBytes(held_)));
      std::string().swap(held_);
      return sys::WriteAll(fd_.get(), bytes);
    }();
    if (written) return written;
    fd_.Reset();
    finished_ = true;
    closed_ = std::move(written).error().Doing(fmt::format("write a blob in {}", place_->path));
    return std::unexpected(closed_);
  }

  Result<> OpenFile() {
    directory_ = WRIT_TRY("store blob", place_->Directory(kTemporaryName, true));
    std::array<std::uint8_t, 12> random;
    FillRandom(random);
    std::string name = HexEncode(random);
    place_->Step("create");
    fd_ = sys::UniqueFd(::openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
    if (!fd_.valid()) return FailErrno(fmt::format("create a file in {}/{}", place_->path, kTemporaryName));
    name_ = std::move(name);
    return {};
  }

  Result<> Store(const std::string& hash, Durability durability) {
    const bool durable = durability == Durability::kDurable;
    const sys::UniqueFd guard = WRIT_TRY("store", place_->Lock(LOCK_SH));
    const sys::UniqueFd fan_out = WRIT_TRY("store", place_->Directory(FanOut(hash), true));
    const Known known = WRIT_TRY("store", Renew(hash, durable));
    if (known == Known::kDurable) return {};
    if (known == Known::kNo) {
      if (!fd_.valid()) WRIT_TRY("store", ToFile({}));
      if (durable) {
        place_->Step("sync file");
        WRIT_TRY("store", sys::SyncFd(fd_.get()));
      }
      place_->Step("rename");
      if (::renameat(directory_.get(), name_.c_str(), fan_out.get(), hash.c_str()) != 0) return FailErrno("rename");
      name_.clear();
    }
    if (!durable) return {};
    place_->Step("sync directory");
    WRIT_TRY("store", sys::SyncFd(fan_out.get()));
    struct stat file{};
    const Mark directory = WRIT_TRY("store", MarkOfDirectory(fan_out));
    if (!place_->synced->Has(FanOut(hash), directory)) {
      WRIT_TRY("store", sys::SyncFd(place_->root.get()));
      place_->synced->Note(FanOut(hash), directory);
    }
    if (::fstatat(fan_out.get(), hash.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0) return FailErrno("stat");
    place_->synced->Note(hash, Mark::OfFile(file));
    return {};
  }

  enum class Known : std::uint8_t { kNo, kThere, kDurable };
  /// If the blob is there already and whole, marks it as stored now. After a power cut a blob that was not made durable
  /// can be there with other content; then it is replaced. kDurable: nothing is left to do for its durability.
  Result<Known> Renew(const std::string& hash, bool durable) const {
    auto opened = OpenBlob(*place_, hash);
    if (!opened) return Known::kNo;
    struct stat status{};
    if (::fstat(opened->get(), &status) != 0) return FailErrno("renew");
    if (static_cast<std::uint64_t>(status.st_size) != bytes_) return Known::kNo;
    const bool whole = WRIT_TRY("renew", HasContent(opened->get(), hash));
    if (!whole) return Known::kNo;
    place_->Step("renew");
    const bool synced = place_->synced->Has(hash, Mark::OfFile(status));
    if (::futimens(opened->get(), nullptr) != 0 || ::fstat(opened->get(), &status) != 0) return FailErrno("renew");
    if (synced) place_->synced->Note(hash, Mark::OfFile(status));  // its time alone need not be durable
    if (durable && synced) return Known::kDurable;
    if (durable) WRIT_TRY("renew", sys::SyncFd(opened->get()));
    return Known::kThere;
  }

  std::shared_ptr<const Place> place_;
  sys::UniqueFd directory_;
  std::string name_;  ///< of the temporary file; empty once it is a blob
  sys::UniqueFd fd_;
  crypto::Sha256 digest_;
  std::uint64_t bytes_ = 0;
  std::string held_;
  bool finished_ = false;  ///< by Finish, or by an error
  Error closed_{Code::kInternal, "this blob is finished"};  ///< of every use after fd_ was closed: why a write failed
};

class BlobDirectory final : public BlobStore {
 public:
  explicit BlobDirectory(std::shared_ptr<const Place> place) : place_(std::move(place)) {}

  Result<std::unique_ptr<BlobWriter>> Create() override {
    if (place_->access == StateAccess::kRead)
      return Fail(Code::kDenied, "{} was opened for reading only", place_->path);
    return std::make_unique<DirectoryBlobWriter>(place_);
  }

  Result<std::string> Get(std::string_view hash, std::uint64_t bytes_max) override {
    const sys::UniqueFd fd = WRIT_TRY("read blob", OpenBlob(*place_, hash));
    std::string bytes = WRIT_TRY("read blob", sys::ReadAll(fd.get(), bytes_max));
    if (crypto::Sha256Hex(bytes) != hash) return WrongContent(place_->path, hash);
    return bytes;
  }

  Result<sys::UniqueFd> Open(std::string_view hash) override { return OpenBlob(*place_, hash); }

  Result<bool> Has(std::string_view hash) override {
    const auto fd = OpenBlob(*place_, hash);
    if (fd) return true;
    if (fd.error().code == Code::kNotFound) return false;
    return std::unexpected(fd.error());
  }

  Result<> MakeDurable(std::span<const std::string> hashes) override {
    // All files first: the first sync also writes the file system's journal, after which the others have little to do.
    std::map<std::string, Mark> files;
    std::map<std::string, sys::UniqueFd> fan_outs;
    for (const std::string& hash : hashes) {
      const sys::UniqueFd fd = WRIT_TRY("make blob durable", OpenBlob(*place_, hash));
      struct stat status{};
      if (::fstat(fd.get(), &status) != 0) return FailErrno("stat");
      const Mark mark = Mark::OfFile(status);
      if (place_->synced->Has(hash, mark)) continue;
      place_->Step("sync file");
      WRIT_TRY("make blob durable", sys::SyncFd(fd.get()));
      files.insert_or_assign(hash, mark);
      fan_outs.try_emplace(FanOut(hash));
    }
    if (files.empty()) return {};
    place_->Step("sync directory");
    bool known = true;
    for (auto& [name, directory] : fan_outs) {
      directory = WRIT_TRY("make blob durable", place_->Directory(name, false));
      WRIT_TRY("make blob durable", sys::SyncFd(directory.get()));
      known = known && place_->synced->Has(name, WRIT_TRY("make blob durable", MarkOfDirectory(directory)));
    }
    if (!known) {
      WRIT_TRY("make blob durable", sys::SyncFd(place_->root.get()));
      for (const auto& [name, directory] : fan_outs)
        place_->synced->Note(name, WRIT_TRY("make blob durable", MarkOfDirectory(directory)));
    }
    for (const auto& [hash, mark] : files) place_->synced->Note(hash, mark);
    return {};
  }

  Result<> ForEach(const std::function<Result<>(const Entry&)>& visit) override {
    const auto names = WRIT_TRY("walk blobs", sys::ListNames(place_->root, kNamesMax));
    for (const std::string& name : names) {
      if (name == kTemporaryName) {
        WRIT_TRY("walk blobs", RemoveAbandoned());
        continue;
      }
      if (name.size() != kFanOutLetters) continue;
      const sys::UniqueFd directory = WRIT_TRY("walk blobs", place_->Directory(name, false));
      const auto hashes = WRIT_TRY("walk blobs", sys::ListNames(directory, kNamesMax));
      for (const std::string& hash : hashes) {
        struct stat status{};
        if (!crypto::IsHash(hash) || ::fstatat(directory.get(), hash.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
          continue;
        WRIT_TRY("walk blobs", visit({hash, static_cast<std::uint64_t>(status.st_size)}));
      }
    }
    return {};
  }

  Result<bool> Remove(std::string_view hash, WallTime unless_since) override {
    if (!crypto::IsHash(hash)) return Fail(Code::kInvalid, "a blob is named by a SHA-256 in lower-case hex");
    const sys::UniqueFd guard = WRIT_TRY("remove blob", place_->Lock(LOCK_EX));
    const std::string below = fmt::format("{}/{}", FanOut(hash), hash);
    struct stat status{};
    if (::fstatat(place_->root.get(), below.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return true;
      return FailErrno(fmt::format("remove blob {}", hash));
    }
    if (FromTimespec(status.st_mtim) >= unless_since) return false;
    place_->Step("remove");
    if (::unlinkat(place_->root.get(), below.c_str(), 0) != 0 && errno != ENOENT) {
      return FailErrno(fmt::format("remove blob {}", hash));
    }
    return true;
  }

 private:
  /// Removes temporary files that nobody has written to for a day: their process is gone.
  Result<> RemoveAbandoned() {
    if (place_->access == StateAccess::kRead) return {};
    const sys::UniqueFd directory = WRIT_TRY("clean up", place_->Directory(kTemporaryName, false));
    const WallTime limit = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()) - kAbandonedAfter;
    const auto names = WRIT_TRY("clean up", sys::ListNames(directory, kNamesMax));
    for (const std::string& name : names) {
      struct stat status{};
      if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (FromTimespec(status.st_mtim) >= limit) continue;
      if (::unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
        return FailErrno(fmt::format("clean up {}/{}/{}", place_->path, kTemporaryName, name));
      }
    }
    return {};
  }

  std::shared_ptr<const Place> place_;
};

}  // namespace

Result<std::unique_ptr<BlobStore>> OpenBlobDirectory(const StateDir& state, BlobDirectoryOptions options) {
  auto root = state.Subdirectory("blobs");
  if (!root) return std::unexpected(std::move(root).error().Doing("open blobs"));
  return std::make_unique<BlobDirectory>(
      std::make_shared<const Place>(Place{state.File("blobs"), *std::move(root), state.access(), std::move(options)}));
}

}  // namespace writ::storage

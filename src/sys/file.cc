#include "sys/file.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "base/ids.h"
#include "sys/beneath.h"

namespace writ::sys {
namespace {

constexpr std::size_t kReadStepFirst = 4u << 10;  // most files without a size are small ones of /proc
constexpr std::size_t kReadStep = 64u << 10;
constexpr std::size_t kListMax = 1u << 22;

std::string RandomSuffix() {
  std::array<std::uint8_t, 8> bytes;
  FillRandom(bytes);
  return HexEncode(bytes);
}

/// Removes a file that must not stay when a step after its creation fails.
class PendingFile {
 public:
  PendingFile(int directory, std::string name) : directory_(directory), name_(std::move(name)) {}
  ~PendingFile() {
    if (!name_.empty()) ::unlinkat(directory_, name_.c_str(), 0);
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  void Keep() { name_.clear(); }

 private:
  int directory_;
  std::string name_;
};

}  // namespace

Result<UniqueFd> OpenFile(const std::string& path, int flags, std::uint32_t mode) {
  if (path.find('\0') != path.npos) return Fail(Code::kInvalid, "path {:?} contains a NUL", path);
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return FailErrno(fmt::format("open {}", path));
  return UniqueFd(fd);
}

FileMeta MetaFrom(const struct stat& status) {
  FileMeta meta;
  if (S_ISREG(status.st_mode)) meta.type = FileType::kRegular;
  if (S_ISDIR(status.st_mode)) meta.type = FileType::kDirectory;
  if (S_ISLNK(status.st_mode)) meta.type = FileType::kSymlink;
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0)) meta.type = FileType::kWhiteout;
  meta.mode = status.st_mode & 07777;
  meta.uid = status.st_uid;
  meta.gid = status.st_gid;
  meta.links = static_cast<std::uint32_t>(status.st_nlink);
  meta.bytes = static_cast<std::uint64_t>(status.st_size);
  meta.device = status.st_dev;
  meta.inode = status.st_ino;
  meta.mtime_ns = status.st_mtim.tv_sec * 1'000'000'000ll + status.st_mtim.tv_nsec;
  meta.ctime_ns = status.st_ctim.tv_sec * 1'000'000'000ll + status.st_ctim.tv_nsec;
  return meta;
}

Result<FileMeta> MetaOf(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return FailErrno("fstat");
  return MetaFrom(status);
}

Result<std::size_t> ReadFull(int fd, std::span<std::uint8_t> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::read(fd, buffer.data() + done, buffer.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FailErrno("read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<std::string> ReadAll(int fd, std::size_t bytes_max) {
  std::string text;
  std::size_t step = kReadStepFirst;
  struct stat status{};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    step = std::min(static_cast<std::size_t>(status.st_size), bytes_max) + 1;  // one more, to see the end at once
  }
  for (;;) {
    const std::size_t before = text.size();
    step = std::min(step, bytes_max - before + 1);
    text.resize(before + step);
    const std::size_t count = WRIT_TRY(
        "read", ReadFull(fd, {reinterpret_cast<std::uint8_t*>(text.data()) + before, step}));
    text.resize(before + count);
    if (text.size() > bytes_max) return Fail(Code::kExhausted, "more than {} bytes", bytes_max);
    if (count < step) return text;
    step = std::clamp(text.size(), kReadStepFirst, kReadStep);
  }
}

Result<std::string> ReadFile(const std::string& path, std::size_t bytes_max) {
  // O_NONBLOCK: a FIFO without a writer must not hold up the caller before it is recognised.
  const UniqueFd fd = WRIT_TRY("read file", OpenFile(path, O_RDONLY | O_NONBLOCK));
  const FileMeta meta = WRIT_TRY(path, MetaOf(fd.get()));
  if (meta.type != FileType::kRegular) return Fail(Code::kInvalid, "{} is not a regular file", path);
  return WRIT_TRY(path, ReadAll(fd.get(), bytes_max));
}

Result<> WriteAll(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FailErrno("write");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> SyncFd(int fd) {
  int status;
  do {
    status = ::fsync(fd);
  } while (status != 0 && errno == EINTR);
  if (status != 0) return FailErrno("fsync");
  return {};
}

Result<> WriteFileAtomic(const std::string& path, ByteView content, std::uint32_t mode, Durability durability) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const std::string name = slash == path.npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == ".." || path.find('\0') != path.npos) {
    return Fail(Code::kInvalid, "{:?} does not end in a file name", path);
  }
  const UniqueFd directory = WRIT_TRY("write file", OpenDirectory(parent));
  const std::string temporary = fmt::format(".writ-{}.tmp", RandomSuffix());
  UniqueFd fd(::openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return FailErrno(fmt::format("create a temporary file in {}", parent));
  PendingFile pending(directory.get(), temporary);
  WRIT_TRY(path, WriteAll(fd.get(), content));
  if (::fchmod(fd.get(), mode) != 0) return FailErrno(fmt::format("set mode of {}", path));
  if (durability == Durability::kDurable) WRIT_TRY(path, SyncFd(fd.get()));
  // Some file systems report a failed write only on close.
  if (::close(fd.Release()) != 0 && errno != EINTR) return FailErrno(fmt::format("close {}", path));
  if (::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) {
    return FailErrno(fmt::format("replace {}", path));
  }
  pending.Keep();
  if (durability == Durability::kDurable) WRIT_TRY(parent, SyncFd(directory.get()));
  return {};
}

Result<> MakeDirectories(const std::string& path, std::uint32_t mode) {
  if (path.empty() || path.find('\0') != path.npos) return Fail(Code::kInvalid, "{:?} is not a path", path);
  for (std::size_t end = 0; end != path.npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (part.back() == '/' && part.size() > 1) continue;
    if (::mkdir(part.c_str(), mode) == 0) {
      if (::chmod(part.c_str(), mode) != 0) return FailErrno(fmt::format("set mode of {}", part));
      continue;
    }
    if (errno != EEXIST && errno != EISDIR && errno != EROFS && errno != EACCES) {
      return FailErrno(fmt::format("make directory {}", part));
    }
    const int why = errno;
    struct stat status{};
    if (::stat(part.c_str(), &status) != 0) {
      return std::unexpected(ErrnoError(why, fmt::format("make directory {}", part)));
    }
    if (!S_ISDIR(status.st_mode)) {
      return Fail(Code::kInvalid, "make directory {}: {} exists and is not a directory", path, part);
    }
  }
  return {};
}

namespace {

/// One directory that is being emptied. Its names are taken from the back.
struct Emptying {
  UniqueFd fd;
  std::string name;  ///< in the directory above
  std::vector<std::string> names;
};

Result<Emptying> StartEmptying(const UniqueFd& parent, std::string name) {
  auto entry = OpenTreeEntry(parent.get(), name);
  if (!entry && entry.error().code == Code::kDenied) {
    // The owner may have taken away the right to read it; removing needs only the right to change the parent.
    if (::fchmodat(parent.get(), name.c_str(), 0700, 0) == 0) entry = OpenTreeEntry(parent.get(), name);
  }
  if (!entry) return std::unexpected(std::move(entry).error());
  if (entry->meta.type != FileType::kDirectory) return Fail(Code::kDenied, "remove {:?}: not permitted", name);
  if ((entry->meta.mode & 0700) != 0700) ::fchmod(entry->fd.get(), 0700);  // a failure shows when removing
  auto names = WRIT_TRY(name, ListNames(entry->fd, kListMax));
  return Emptying{std::move(entry->fd), std::move(name), std::move(names)};
}

}  // namespace

Result<> RemoveTree(const UniqueFd& directory, std::string_view name_view) {
  std::string name(name_view);
  if (::unlinkat(directory.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return FailErrno(fmt::format("remove {:?}", name));
  // Depth first with one descriptor per level up to a bound; below that a subtree is first moved up, so that neither
  // stack nor descriptors grow with the depth of a hostile tree.
  constexpr std::size_t kLevelsMax = 128;
  std::vector<Emptying> levels;
  levels.push_back(WRIT_TRY("remove tree", StartEmptying(directory, name)));
  while (!levels.empty()) {
    Emptying& top = levels.back();
    if (top.names.empty()) {
      const UniqueFd& parent = levels.size() == 1 ? directory : levels[levels.size() - 2].fd;
      if (::unlinkat(parent.get(), top.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return FailErrno(fmt::format("remove directory {:?}", top.name));
      }
      levels.pop_back();
      continue;
    }
    std::string child = std::move(top.names.back());
    top.names.pop_back();
    if (::unlinkat(top.fd.get(), child.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) return FailErrno(fmt::format("remove {:?}", child));
    if (levels.size() >= kLevelsMax) {
      std::string moved = fmt::format(".writ-{}.gone", RandomSuffix());
      if (::renameat(top.fd.get(), child.c_str(), levels.front().fd.get(), moved.c_str()) != 0) {
        return FailErrno(fmt::format("move deep directory {:?} up to remove it", child));
      }
      levels.front().names.push_back(std::move(moved));
      continue;
    }
    levels.push_back(WRIT_TRY("remove tree", StartEmptying(top.fd, std::move(child))));
  }
  return {};
}

Result<TemporaryDirectory> TemporaryDirectory::Create(const std::string& parent, std::string_view prefix) {
  UniqueFd parent_fd = WRIT_TRY("temporary directory", OpenDirectory(parent));
  std::string name = fmt::format("{}{}", prefix, RandomSuffix());
  if (::mkdirat(parent_fd.get(), name.c_str(), 0700) != 0) {
    return FailErrno(fmt::format("make a temporary directory in {}", parent));
  }
  auto fd = OpenBeneath(parent_fd, name, O_RDONLY | O_DIRECTORY);
  if (!fd) {
    ::unlinkat(parent_fd.get(), name.c_str(), AT_REMOVEDIR);
    return std::unexpected(std::move(fd).error().Doing("temporary directory"));
  }
  std::string path = fmt::format("{}/{}", parent, name);
  return TemporaryDirectory(std::move(parent_fd), std::move(name), std::move(path), *std::move(fd));
}

TemporaryDirectory::~TemporaryDirectory() {
  // A destructor has nobody to tell; what stays has a recognisable name in a directory of the caller.
  if (parent_.valid()) (void)RemoveTree(parent_, name_);
}

}  // namespace writ::sys

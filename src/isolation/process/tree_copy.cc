#include "isolation/process/tree_copy.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace writ::isolation::process {
namespace {

constexpr std::size_t kDepthMax = 256;  // two descriptors are open per level
constexpr std::size_t kNamesMax = 1'000'000;

struct Level {
  sys::UniqueFd from, to;
  std::vector<std::string> names;
  std::size_t next = 0;
  sys::FileMeta meta;
};

Result<> SetTimes(int fd, std::int64_t mtime_ns) {
  const timespec when{mtime_ns / 1'000'000'000, mtime_ns % 1'000'000'000};
  const timespec times[2] = {when, when};
  if (::futimens(fd, times) != 0) return FailErrno("set times");
  return {};
}

Result<> CopyContent(const sys::UniqueFd& from, const sys::UniqueFd& to) {
  constexpr std::size_t kChunk = 1 << 20;
  for (;;) {
    const ssize_t copied = ::sendfile(to.get(), from.get(), nullptr, kChunk);
    if (copied == 0) return {};
    if (copied < 0 && errno != EINTR) return FailErrno("copy");
  }
}

Result<> Finish(int fd, const sys::FileMeta& meta, const OwnerOf& owner) {
  if (owner) {
    const auto [uid, gid] = owner(meta);
    if (::fchown(fd, uid, gid) != 0) return FailErrno("set owner");
  }
  if (::fchmod(fd, meta.mode & 0777) != 0) return FailErrno("set mode");
  return SetTimes(fd, meta.mtime_ns);
}

Result<Level> Enter(sys::UniqueFd from, sys::UniqueFd to, const sys::FileMeta& meta) {
  Level level{std::move(from), std::move(to), {}, 0, meta};
  level.names = WRIT_TRY("list", sys::ListNames(level.from, kNamesMax));
  return level;
}

Result<> CopyEntry(Level& into, const std::string& name, const OwnerOf& owner, std::vector<Level>& stack) {
  sys::TreeEntry entry = WRIT_TRY("open", sys::OpenTreeEntry(into.from.get(), name));
  switch (entry.meta.type) {
    case sys::FileType::kRegular: {
      const sys::UniqueFd copy{::openat(into.to.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
      if (!copy.valid()) return FailErrno("create");
      WRIT_TRY("content", CopyContent(entry.fd, copy));
      return Finish(copy.get(), entry.meta, owner);
    }
    case sys::FileType::kDirectory: {
      if (stack.size() >= kDepthMax) return Fail(Code::kExhausted, "deeper than {} directories", kDepthMax);
      if (::mkdirat(into.to.get(), name.c_str(), 0700) != 0) return FailErrno("mkdir");
      sys::UniqueFd copy{::openat(into.to.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
      if (!copy.valid()) return FailErrno("open the copy");
      stack.push_back(WRIT_TRY("enter", Enter(std::move(entry.fd), std::move(copy), entry.meta)));
      return {};
    }
    case sys::FileType::kSymlink: {
      if (::symlinkat(entry.link_target.c_str(), into.to.get(), name.c_str()) != 0) return FailErrno("symlink");
      if (!owner) return {};
      const auto [uid, gid] = owner(entry.meta);
      if (::fchownat(into.to.get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) return FailErrno("set owner");
      return {};
    }
    case sys::FileType::kWhiteout:
    case sys::FileType::kOther:
      return {};
  }
  return {};
}

}  // namespace

Result<> CopyTree(const sys::UniqueFd& from, const sys::UniqueFd& to, const OwnerOf& owner) {
  sys::UniqueFd from_again{::openat(from.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  sys::UniqueFd to_again{::openat(to.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!from_again.valid() || !to_again.valid()) return FailErrno("open the tree");
  struct stat meta {};
  if (::fstat(from.get(), &meta) != 0) return FailErrno("stat the tree");
  sys::FileMeta top;
  top.mode = meta.st_mode & 07777;
  top.uid = meta.st_uid;
  top.gid = meta.st_gid;
  top.mtime_ns = meta.st_mtim.tv_sec * 1'000'000'000 + meta.st_mtim.tv_nsec;
  std::vector<Level> stack;
  stack.reserve(kDepthMax);  // CopyEntry keeps a reference to a level while it pushes one
  stack.push_back(WRIT_TRY("enter", Enter(std::move(from_again), std::move(to_again), top)));
  while (!stack.empty()) {
    Level& level = stack.back();
    if (level.next == level.names.size()) {
      WRIT_TRY("directory", Finish(level.to.get(), level.meta, owner));
      stack.pop_back();
      continue;
    }
    const std::string name = level.names[level.next++];
    WRIT_TRY(name, CopyEntry(level, name, owner, stack));
  }
  return {};
}

}  // namespace writ::isolation::process

#include "sys/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include "sys/file.h"

namespace writ::sys {
namespace {

constexpr std::size_t kNameBytesMax = 255;

int OpenComponent(int directory, const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned long long>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  long fd;
  do {
    fd = ::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return static_cast<int>(fd);
}

bool SameObject(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && (a.st_mode & S_IFMT) == (b.st_mode & S_IFMT);
}

Result<std::string> ReadLink(int link, std::string_view name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlinkat(link, "", target.data(), target.size());
  if (length < 0) return FailErrno(fmt::format("read link {:?}", name));
  if (static_cast<std::size_t>(length) >= target.size()) {
    return Fail(Code::kInvalid, "link {:?} has a target of {} bytes or more", name, PATH_MAX);
  }
  target.resize(static_cast<std::size_t>(length));
  return target;
}

/// Only the value "y" hides the layers below; "x" marks a directory that holds whiteouts made of attributes.
/// Source: Linux Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
bool IsOpaque(int directory) {
  for (const char* attribute : {"trusted.overlay.opaque", "user.overlay.opaque"}) {
    char value[4];
    if (::fgetxattr(directory, attribute, value, sizeof value) == 1 && value[0] == 'y') return true;
  }
  return false;
}

}  // namespace

Result<TreeEntry> OpenTreeEntry(int directory, std::string_view name_view) {
  if (name_view.empty() || name_view == "." || name_view == ".." || name_view.size() > kNameBytesMax ||
      name_view.find('/') != name_view.npos || name_view.find('\0') != name_view.npos) {
    return Fail(Code::kInvalid, "{:?} is not one path component", name_view.substr(0, kNameBytesMax));
  }
  const std::string name(name_view);
  // The kind decides how the entry may be opened: opening a device for reading can have effects.
  struct stat seen{};
  if (::fstatat(directory, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
    return FailErrno(fmt::format("look at {:?}", name));
  }
  int flags = O_PATH;
  if (S_ISREG(seen.st_mode)) flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  if (S_ISDIR(seen.st_mode)) flags = O_RDONLY | O_DIRECTORY;
  TreeEntry entry;
  entry.fd = UniqueFd(OpenComponent(directory, name, flags));
  if (!entry.fd.valid() && errno == EXDEV) {
    return Fail(Code::kDenied, "open {:?}: another file system is mounted here", name);
  }
  if (!entry.fd.valid()) return FailErrno(fmt::format("open {:?}", name));
  struct stat opened{};
  if (::fstat(entry.fd.get(), &opened) != 0) return FailErrno(fmt::format("look at {:?}", name));
  if (!SameObject(seen, opened)) {
    return Fail(Code::kUnavailable, "{:?} was replaced while it was being opened", name);
  }
  entry.meta = MetaFrom(opened);
  if (entry.meta.type == FileType::kSymlink) entry.link_target = WRIT_TRY("open", ReadLink(entry.fd.get(), name));
  if (entry.meta.type == FileType::kDirectory) entry.opaque = IsOpaque(entry.fd.get());
  return entry;
}

Result<TreeEntry> LocalTreeOpener::Open(const UniqueFd& directory, std::string_view name) {
  return OpenTreeEntry(directory.get(), name);
}

std::optional<FileMeta> LocalTreeOpener::Look(const UniqueFd& directory, const std::string& name) {
  struct statx status{};
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (::statx(directory.get(), name.c_str(), kFlags, STATX_BASIC_STATS, &status) != 0) return std::nullopt;
  // A kernel that cannot tell mounts apart leaves the question to Open.
  if ((status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0 ||
      (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
    return std::nullopt;
  }
  struct stat plain{};
  plain.st_mode = status.stx_mode;
  plain.st_uid = status.stx_uid;
  plain.st_gid = status.stx_gid;
  plain.st_nlink = status.stx_nlink;
  plain.st_size = static_cast<off_t>(status.stx_size);
  plain.st_dev = makedev(status.stx_dev_major, status.stx_dev_minor);
  plain.st_rdev = makedev(status.stx_rdev_major, status.stx_rdev_minor);
  plain.st_ino = status.stx_ino;
  plain.st_mtim = {.tv_sec = status.stx_mtime.tv_sec, .tv_nsec = status.stx_mtime.tv_nsec};
  plain.st_ctim = {.tv_sec = status.stx_ctime.tv_sec, .tv_nsec = status.stx_ctime.tv_nsec};
  return MetaFrom(plain);
}

Result<std::vector<std::string>> ListNames(const UniqueFd& directory, std::size_t max_names) {
  // A descriptor of its own, because closedir closes what it was given.
  UniqueFd copy(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy.valid()) return FailErrno("open directory for listing");
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), ::closedir);
  if (!stream) return FailErrno("list directory");
  (void)copy.Release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) return FailErrno("list directory");
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= max_names) return Fail(Code::kExhausted, "directory has more than {} entries", max_names);
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<UniqueFd> OpenDirectory(const std::string& path) {
  return OpenFile(path, O_RDONLY | O_DIRECTORY);
}

}  // namespace writ::sys

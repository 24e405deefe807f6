#include "isolation/process/root_entries.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "sys/mount_api.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

Result<> MakeDirectory(int at, const char* path, mode_t mode) {
  if (::mkdirat(at, path, mode) != 0 && errno != EEXIST) return FailErrno(fmt::format("mkdir {}", path));
  return {};
}

Result<> MakeFile(int at, const char* path, std::string_view text) {
  const sys::UniqueFd fd{::openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)};
  if (!fd.valid()) return FailErrno(fmt::format("create {}", path));
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return FailErrno(path);
  return {};
}

Result<> MakeMountPoint(int at, const char* path) {
  if (::mknodat(at, path, S_IFREG | 0644, 0) != 0) return FailErrno(fmt::format("create {}", path));
  return {};
}

Result<> MakeLink(int at, const char* target, const char* path) {
  if (::symlinkat(target, at, path) != 0) return FailErrno(fmt::format("symlink {}", path));
  return {};
}

Result<> ShowHostEntry(int at, const std::string& from, const char* to) {
  struct stat meta {};
  if (::lstat(from.c_str(), &meta) != 0) {
    if (errno == ENOENT) return {};
    return FailErrno(from);
  }
  if (S_ISLNK(meta.st_mode)) {
    char target[4096];
    const ssize_t length = ::readlink(from.c_str(), target, sizeof target - 1);
    if (length < 0) return FailErrno(from);
    target[length] = '\0';
    return MakeLink(at, target, to);
  }
  if (S_ISDIR(meta.st_mode)) {
    WRIT_TRY("mount point", MakeDirectory(at, to));
  } else if (S_ISREG(meta.st_mode)) {
    WRIT_TRY("mount point", MakeMountPoint(at, to));
  } else {
    return {};
  }
  const auto mount = WRIT_TRY("clone", sys::CloneMount(AT_FDCWD, from.c_str(), true));
  WRIT_TRY("restrict", sys::RestrictMount(mount, {.read_only = true}, true));
  return sys::AttachMount(mount, at, to);
}

}  // namespace writ::isolation::process

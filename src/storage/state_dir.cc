#include "storage/state_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "sys/file.h"

namespace writ::storage {
namespace {

constexpr mode_t kDirectoryMode = 0700;

/// What is wrong with a directory that keys and evidence shall live in; success if nothing.
Result<> CheckOwner(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return FailErrno(path);
  if (status.st_uid != ::geteuid()) {
    return Fail(Code::kDenied, "{} belongs to user {}, not to you (user {}); set WRIT_STATE to a directory of your own",
                path, status.st_uid, ::geteuid());
  }
  if ((status.st_mode & 022) != 0) {
    return Fail(Code::kDenied, "others may write {} (mode {:04o}); run: chmod 0700 {}", path, status.st_mode & 07777,
                path);
  }
  return {};
}

Error ReadOnly(const std::string& path) {
  return {Code::kDenied, fmt::format("{} cannot be written (read-only file system or missing permission); set "
                                     "WRIT_STATE to a directory that can",
                                     path)};
}

Result<sys::UniqueFd> OpenChecked(int parent, const std::string& name, const std::string& path) {
  const int fd = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ELOOP || errno == ENOTDIR) {
      return Fail(Code::kDenied, "{} is a symbolic link or no directory; the state must be a real directory", path);
    }
    return FailErrno(path);
  }
  sys::UniqueFd directory(fd);
  WRIT_TRY("state", CheckOwner(directory.get(), path));
  return directory;
}

}  // namespace

Result<std::string> DefaultStatePath(const EnvLookup& env, bool root) {
  struct Place {
    const char *variable, *below;
  };
  for (const Place& place : {Place{"WRIT_STATE", ""}, {"XDG_STATE_HOME", "/writ"}, {"HOME", "/.local/state/writ"}}) {
    if (root && *place.below != '\0') return "/var/lib/writ";
    const auto value = env(place.variable);
    if (!value || value->empty()) continue;
    if (value->front() != '/') {
      return Fail(Code::kInvalid, "{} is \"{}\"; it must be an absolute path", place.variable, *value);
    }
    return *value + place.below;
  }
  return Fail(Code::kInvalid,
              "none of WRIT_STATE, XDG_STATE_HOME and HOME is set, so there is no place for the state; "
              "set WRIT_STATE");
}

Result<StateDir> StateDir::Open(const std::string& path, StateAccess access) {
  std::string clean = path;
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();  // a final slash would follow a link
  if (clean.empty() || clean.front() != '/') {
    return Fail(Code::kInvalid, "state directory \"{}\" must be an absolute path", path);
  }
  auto directory = OpenChecked(AT_FDCWD, clean, clean);
  if (!directory && directory.error().code == Code::kNotFound && access == StateAccess::kWrite) {
    auto made = sys::MakeDirectories(clean, kDirectoryMode);
    if (!made && made.error().code == Code::kDenied) return std::unexpected(ReadOnly(clean));
    WRIT_TRY("make state directory", std::move(made));
    directory = OpenChecked(AT_FDCWD, clean, clean);
  }
  sys::UniqueFd fd = WRIT_TRY("open state", std::move(directory));
  if (access == StateAccess::kWrite && ::faccessat(fd.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    return std::unexpected(ReadOnly(clean));
  }
  return StateDir(std::move(clean), std::move(fd), access);
}

Result<sys::UniqueFd> StateDir::Subdirectory(std::string_view name) const {
  const std::string component(name);
  const std::string path = File(name);
  auto directory = OpenChecked(fd_.get(), component, path);
  if (directory || directory.error().code != Code::kNotFound || access_ == StateAccess::kRead) return directory;
  if (::mkdirat(fd_.get(), component.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    if (errno == EROFS || errno == EACCES) return std::unexpected(ReadOnly(path));
    return FailErrno(fmt::format("make {}", path));
  }
  return OpenChecked(fd_.get(), component, path);
}

}  // namespace writ::storage

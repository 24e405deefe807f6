#include "storage/run_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "storage/rules.h"

namespace writ::storage {
namespace {

constexpr int kTriesMax = 16;  // each try means that another process has retired the file in between

struct flock WholeFile() {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

Result<std::string> LockFile(std::string_view run_id) {
  if (!IsRunId(run_id)) return Fail(Code::kInvalid, "a run id is 1 to 128 letters, digits, _ or -");
  return fmt::format("{}.lock", run_id);
}

/// Whether `fd` is what the name stands for now.
bool IsSameFile(int fd, int directory, const std::string& file) {
  struct stat opened{}, named{};
  return ::fstat(fd, &opened) == 0 && ::fstatat(directory, file.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

Result<std::optional<RunLock>> RunLock::TryTake(const StateDir& state, std::string_view run_id) {
  const std::string file = WRIT_TRY("lock run", LockFile(run_id));
  sys::UniqueFd directory = WRIT_TRY("lock run", state.Subdirectory("runs"));
  for (int i = 0; i < kTriesMax; ++i) {
    const int opened = ::openat(directory.get(), file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (opened < 0) return FailErrno(fmt::format("lock run: {}", file));
    sys::UniqueFd fd(opened);
    struct flock lock = WholeFile();
    if (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
      if (errno == EAGAIN || errno == EACCES) return std::nullopt;
      return FailErrno(fmt::format("lock run: {}", file));
    }
    // Whoever held it may have retired the file after this process opened it; then the lock guards nothing.
    if (IsSameFile(fd.get(), directory.get(), file)) return RunLock(std::move(directory), file, std::move(fd));
  }
  return Fail(Code::kUnavailable, "lock run: {} is replaced again and again", file);
}

Result<bool> RunLock::IsHeld(const StateDir& state, std::string_view run_id) {
  const std::string file = WRIT_TRY("look at run", LockFile(run_id));
  auto directory = state.Subdirectory("runs");
  if (!directory && directory.error().code == Code::kNotFound) return false;
  const sys::UniqueFd runs = WRIT_TRY("look at run", std::move(directory));
  const int opened = ::openat(runs.get(), file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0) {
    if (errno == ENOENT) return false;
    return FailErrno(fmt::format("look at run: {}", file));
  }
  const sys::UniqueFd fd(opened);
  struct flock lock = WholeFile();
  if (::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0) return FailErrno(fmt::format("look at run: {}", file));
  return lock.l_type != F_UNLCK;
}

Result<> RunLock::Retire() && {
  const RunLock done = std::move(*this);  // lets go after the file is gone
  if (::unlinkat(done.directory_.get(), done.file_.c_str(), 0) != 0 && errno != ENOENT) {
    return FailErrno(fmt::format("remove {}", done.file_));
  }
  return {};
}

}  // namespace writ::storage

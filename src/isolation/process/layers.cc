#include "isolation/process/layers.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "isolation/process/tree_copy.h"
#include "sys/mount_api.h"

namespace writ::isolation::process {
namespace {

/// The whole subtree comes along only where the kernel insists (mounts locked by a user namespace).
Result<sys::UniqueFd> CloneReadOnly(const sys::UniqueFd& directory) {
  auto mount = sys::CloneMount(directory.get(), "", false);
  if (!mount) mount = sys::CloneMount(directory.get(), "", true);
  sys::UniqueFd cloned = WRIT_TRY("clone", std::move(mount));
  WRIT_TRY("restrict", sys::RestrictMount(cloned, {.read_only = true}, true));
  return cloned;
}

/// A user namespace that exists only as a map: a child makes it, the parent writes the map and keeps a descriptor.
Result<sys::UniqueFd> MakeIdMap(const std::string& map) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return FailErrno("pipe");
  const sys::UniqueFd read_end{ready[0]};
  sys::UniqueFd write_end{ready[1]};
  const pid_t child = static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (child < 0) return FailErrno("clone an id map");
  if (child == 0) {
    write_end.Reset();
    char byte;
    [[maybe_unused]] const ssize_t got = ::read(ready[0], &byte, 1);  // until the parent closes
    ::_exit(0);
  }
  const auto write = [&](const char* name) -> Result<> {
    const std::string path = fmt::format("/proc/{}/{}", child, name);
    const sys::UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (!fd.valid() || ::write(fd.get(), map.data(), map.size()) != static_cast<ssize_t>(map.size())) return FailErrno(name);
    return {};
  };
  Result<> mapped = write("uid_map");
  if (mapped) mapped = write("gid_map");
  sys::UniqueFd userns{::open(fmt::format("/proc/{}/ns/user", child).c_str(), O_RDONLY | O_CLOEXEC)};
  const int open_errno = errno;
  write_end.Reset();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
  WRIT_TRY("write the id map", std::move(mapped));
  errno = open_errno;
  if (!userns.valid()) return FailErrno("open the id map");
  return userns;
}

/// Id inside the cell of `id` on disk: `owner` and the guest change places, every other id stays.
unsigned Inside(unsigned id, unsigned owner) { return id == owner ? kGuestId : id == kGuestId ? owner : id; }

/// One map for users and groups, disk id -> id outside of the cell; both files take the same lines because the guest
/// has the same number as user and as group.
std::string WorkspaceMap(unsigned owner, std::uint32_t base) {
  std::string map;
  const auto add = [&](unsigned first, unsigned count, unsigned inside) {
    if (count > 0) map += fmt::format("{} {} {}\n", first, base + inside, count);
  };
  if (owner >= kIdsPerCell) {
    // The owner's number is beyond the cell's range: it takes the guest's place, whose own number is not shown.
    add(0, kGuestId, 0);
    add(owner, 1, kGuestId);
    add(kGuestId + 1, kIdsPerCell - kGuestId - 1, kGuestId + 1);
  } else if (owner == kGuestId) {
    add(0, kIdsPerCell, 0);
  } else {
    const unsigned low = std::min(owner, kGuestId), high = std::max(owner, kGuestId);
    add(0, low, 0);
    add(low, 1, high);
    add(low + 1, high - low - 1, low + 1);
    add(high, 1, low);
    add(high + 1, kIdsPerCell - high - 1, high + 1);
  }
  return map;
}

}  // namespace

Result<sys::UniqueFd> OpenSameDirectory(const std::string& path, const sys::UniqueFd& fd) {
  if (path.empty() || path[0] != '/') return Fail(Code::kInvalid, "\"{}\" is not an absolute path", path);
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  sys::UniqueFd again{static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how))};
  if (!again.valid()) return FailErrno(path);
  struct stat given {}, found {};
  if (::fstat(fd.get(), &given) != 0 || ::fstat(again.get(), &found) != 0) return FailErrno(path);
  if (given.st_dev != found.st_dev || given.st_ino != found.st_ino)
    return Fail(Code::kDenied, "{} is another directory than the one that was opened before", path);
  return again;
}

Result<PreparedLayer> PrepareWorkspace(const sys::UniqueFd& directory, const CellIds& ids, std::uint64_t copy_bytes_max,
                                       std::uint64_t copy_inodes_max) {
  PreparedLayer layer{WRIT_TRY("workspace", CloneReadOnly(directory)), false};
  if (ids.base == 0) return layer;
  struct stat meta {};
  if (::fstat(directory.get(), &meta) != 0) return FailErrno("stat the workspace");
  const auto userns = WRIT_TRY("workspace", MakeIdMap(WorkspaceMap(meta.st_uid, ids.base)));
  if (sys::MapMountIds(layer.mount, userns)) return layer;
  auto tmpfs = WRIT_TRY("workspace copy", sys::NewMount("tmpfs", fmt::format("mode=0755,size={},nr_inodes={}", copy_bytes_max,
                                                                          copy_inodes_max), {}));
  const auto owner = [&](const sys::FileMeta& file) {
    const auto outside = [&](unsigned id, unsigned own) {
      const unsigned inside = Inside(id, own);
      return ids.base + (inside < kIdsPerCell ? inside : kIdsPerCell - 2);
    };
    return std::pair{outside(file.uid, meta.st_uid), outside(file.gid, meta.st_gid)};
  };
  auto copied = CopyTree(directory, tmpfs, owner);
  if (!copied && copied.error().code == Code::kExhausted)
    return Fail(Code::kExhausted, "the workspace does not fit: {}; its file system cannot map ids, so it is copied; give more "
                "with --disk and --inodes, or keep it on another file system (ext4, xfs, btrfs)", copied.error().what);
  WRIT_TRY("copy the workspace", std::move(copied));
  WRIT_TRY("workspace", sys::RestrictMount(tmpfs, {.read_only = true}, false));
  return PreparedLayer{std::move(tmpfs), true};
}

Result<PreparedLayer> PrepareRoot(const sys::UniqueFd& directory, const CellIds& ids) {
  PreparedLayer layer{WRIT_TRY("root", CloneReadOnly(directory)), false};
  if (ids.base == 0) return layer;
  const auto userns = WRIT_TRY("root", MakeIdMap(fmt::format("0 {} {}\n", ids.base, kIdsPerCell)));
  // Where ids cannot be mapped the files stay readable by their modes; the mount is read-only in any case.
  if (auto mapped = sys::MapMountIds(layer.mount, userns); !mapped && mapped.error().code == Code::kInternal)
    return std::unexpected(mapped.error());
  return layer;
}

Result<PreparedLayer> PrepareInputs(const sys::UniqueFd& directory) {
  return PreparedLayer{WRIT_TRY("inputs", CloneReadOnly(directory)), false};
}

}  // namespace writ::isolation::process

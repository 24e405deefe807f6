#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"

namespace writ::isolation {
namespace {

const char* const kOverlayFix = "modprobe overlay (CONFIG_OVERLAY_FS); without it workspaces are copied";
const char* const kOldTmpfsFix =
    "a kernel from 6.6 on, whose tmpfs keeps user attributes; without it the workspace is copied up to --disk, and a "
    "larger one needs --accept disk=watch";

bool Touch(const char* path) {
  return sys::UniqueFd(::open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)).valid();
}

/// A lower layer with directory d and file d/f, mounted under `merged`. nullopt on success.
std::optional<Finding> MountOverlay(const char* options) {
  if (auto missing = EnterScratchTmpfs("size=256k")) return missing;
  for (const char* name : {"lower", "lower/d", "upper", "work", "merged"})
    if (::mkdir(name, 0700) != 0) return Finding::Missing("mkdir: " + ErrnoText(errno), kOverlayFix);
  if (!Touch("lower/d/f")) return Finding::Missing("create a file: " + ErrnoText(errno), kOverlayFix);
  if (::mount("overlay", "merged", "overlay", 0, options) != 0) {
    const int failure = errno;
    return Finding::Missing("mount overlay: " + ErrnoText(failure),
                            failure == EPERM ? std::string("a kernel from 5.11 on allows it in user namespaces; ") + kOverlayFix
                                             : kOverlayFix);
  }
  return std::nullopt;
}

/// Write, copy up, and see that the lower layer is untouched.
Finding UseOverlay() {
  if (!Touch("merged/new") || ::access("upper/new", F_OK) != 0 || ::access("lower/new", F_OK) == 0)
    return Finding::Missing("a write did not go to the upper layer", kOverlayFix);
  if (::chmod("merged/d/f", 0640) != 0) return Finding::Missing("change a lower file: " + ErrnoText(errno), kOverlayFix);
  struct stat lower;
  if (::stat("lower/d/f", &lower) != 0 || (lower.st_mode & 0777) != 0600)
    return Finding::Missing("a change went through to the lower layer", kOverlayFix);
  return Finding::Ok("copies up, the lower layer stays");
}

Finding TryAsRoot() {
  if (auto missing = MountOverlay("lowerdir=lower,upperdir=upper,workdir=work")) return *missing;
  return UseOverlay();
}

Finding TryInUserNamespace() {
  if (auto missing = EnterUserNamespace(0)) return *missing;
  if (auto missing = MountOverlay("lowerdir=lower,upperdir=upper,workdir=work,userxattr")) return *missing;
  return UseOverlay();
}

/// Removing a lower directory and making it anew needs the opaque mark, which an old tmpfs cannot store.
Finding TryTmpfsAttributes() {
  if (auto missing = EnterUserNamespace(0)) return *missing;
  if (auto missing = EnterScratchTmpfs("size=64k")) return *missing;
  if (!Touch("file")) return Finding::Missing("create a file: " + ErrnoText(errno), kOldTmpfsFix);
  if (::setxattr("file", "user.writ", "1", 1, 0) != 0)
    return Finding::Missing("setxattr on tmpfs: " + ErrnoText(errno), kOldTmpfsFix);
  if (auto missing = MountOverlay("lowerdir=lower,upperdir=upper,workdir=work,userxattr")) return *missing;
  if (::unlink("merged/d/f") != 0 || ::rmdir("merged/d") != 0)
    return Finding::Missing("remove a lower directory: " + ErrnoText(errno), kOldTmpfsFix);
  if (::mkdir("merged/d", 0700) != 0) return Finding::Missing("make it anew: " + ErrnoText(errno), kOldTmpfsFix);
  if (::access("merged/d/f", F_OK) == 0)
    return Finding::Missing("files of a removed lower directory show again", kOldTmpfsFix);
  return Finding::Ok("a removed lower directory stays removed");
}

}  // namespace

void AddOverlayProbes(const Caller& caller, std::vector<ProbeSpec>& specs) {
  if (caller.root) specs.emplace_back("overlay.root", TryAsRoot);
  specs.emplace_back("overlay.user", TryInUserNamespace);
  specs.emplace_back("overlay.tmpfs", TryTmpfsAttributes);
}

}  // namespace writ::isolation

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"
#include "sys/mount_api.h"

namespace writ::isolation {
namespace {

const char* const kNewApiFix =
    "a kernel from 5.12 on, or a container profile that allows the mount calls; without it the process tier is refused";

/// Clone, restrict, attach; then the restriction must hold.
Finding TryMountApi() {
  if (auto missing = EnterUserNamespace(0)) return *missing;
  if (auto missing = EnterScratchTmpfs("size=64k")) return *missing;
  if (::mkdir("source", 0700) != 0 || ::mkdir("target", 0700) != 0)
    return Finding::Missing("mkdir: " + ErrnoText(errno), kNewApiFix);
  const auto clone = sys::CloneMount(AT_FDCWD, "source", true);
  if (!clone) return Finding::Missing(clone.error().what, kNewApiFix);
  if (auto done = sys::RestrictMount(*clone, {.read_only = true}, true); !done)
    return Finding::Missing(done.error().what, kNewApiFix);
  if (auto done = sys::AttachMount(*clone, AT_FDCWD, "target"); !done)
    return Finding::Missing(done.error().what, kNewApiFix);
  if (::mkdir("target/x", 0700) == 0 || errno != EROFS)
    return Finding::Missing("a read-only mount could be written", kNewApiFix);
  return Finding::Ok("open_tree, mount_setattr, move_mount");
}

Finding TryFsopen() {
  if (auto missing = EnterUserNamespace(0)) return *missing;
  if (auto missing = EnterScratchTmpfs("size=64k")) return *missing;
  const auto made = sys::NewMount("tmpfs", "size=64k", {});
  if (!made) return Finding::Missing(made.error().what, kNewApiFix);
  if (::mkdir("target", 0700) != 0) return Finding::Missing("mkdir: " + ErrnoText(errno), kNewApiFix);
  if (auto done = sys::AttachMount(*made, AT_FDCWD, "target"); !done)
    return Finding::Missing(done.error().what, kNewApiFix);
  return Finding::Ok("fsopen, fsconfig, fsmount");
}

/// Both bounds of a tmpfs, each reached.
Finding TryTmpfsLimits() {
  const std::string fix = "a kernel whose tmpfs keeps size= and nr_inodes=; without it disk and inodes are not limited";
  if (auto missing = EnterUserNamespace(0)) return *missing;
  if (auto missing = EnterScratchTmpfs("size=64k,nr_inodes=16")) return *missing;
  int files = 0, failure = 0;
  for (; files < 64; ++files) {
    const sys::UniqueFd fd(::open(std::to_string(files).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (fd.valid()) continue;
    failure = errno;
    break;
  }
  if (files == 0) return Finding::Missing("create a file: " + ErrnoText(failure), fix);
  if (files == 64 || failure != ENOSPC) return Finding::Missing("the inode limit did not hold", fix);
  const sys::UniqueFd fd(::open("0", O_WRONLY | O_CLOEXEC));
  const std::string block(4096, 'x');
  int blocks = 0;
  failure = 0;
  for (; blocks < 64; ++blocks) {
    if (::write(fd.get(), block.data(), block.size()) == static_cast<ssize_t>(block.size())) continue;
    failure = errno;
    break;
  }
  if (blocks == 0 || blocks == 64 || failure != ENOSPC) return Finding::Missing("the size limit did not hold", fix);
  return Finding::Ok("size and inodes end with ENOSPC");
}

/// A new PID namespace needs a /proc of its own; a kernel refuses that where the outer /proc is partly covered.
Finding TryProc() {
  if (auto missing = EnterUserNamespace(CLONE_NEWPID)) return *missing;
  if (auto missing = EnterScratchTmpfs("size=64k")) return *missing;
  if (::mkdir("proc", 0700) != 0) return Finding::Missing("mkdir: " + ErrnoText(errno), "");
  const int status = RunStep([] {
    if (::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return errno;
    return ::access("proc/1/status", R_OK) == 0 ? 0 : ENOENT;
  });
  if (status != 0)
    return Finding::Missing("mount proc: " + (status < 0 ? ErrnoText(errno) : ErrnoText(status)),
                            "something covers parts of the outer /proc: in a container unmask it (podman: "
                            "--security-opt unmask=ALL, docker: --security-opt systempaths=unconfined), or run on "
                            "the host; without it the process tier is refused");
  return Finding::Ok("of its own PID namespace");
}

}  // namespace

void AddMountProbes(const Caller&, std::vector<ProbeSpec>& specs) {
  specs.emplace_back("mount.api", TryMountApi);
  specs.emplace_back("mount.fsopen", TryFsopen);
  specs.emplace_back("mount.proc", TryProc);
  specs.emplace_back("tmpfs.limits", TryTmpfsLimits);
}

}  // namespace writ::isolation

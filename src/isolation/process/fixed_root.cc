#include "isolation/process/fixed_root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "isolation/process/root_entries.h"
#include "sys/mount_api.h"

namespace writ::isolation::process {
namespace {

constexpr sys::MountFlags kReadOnly{.read_only = true};

/// Where the jail keeps the part that it copies: a directory that is always there and that neither the jail nor a guest
/// looks into. Not below /proc, of which a cell gets its own only where another one is visible as a whole.
constexpr const char* kKept = "/sys/class";

/// Host directories a guest sees, read-only. No /etc, /home, /root, /var, /srv, /opt, /run, /sys; /opt holds only the
/// place for SessionSpec::tools.
constexpr std::array kSystemDirectories = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/// Files and directories of the host's /etc a guest sees: what the dynamic loader, the alternatives links and TLS need.
constexpr std::array kEtcShown = {"ld.so.cache", "alternatives", "ssl/certs", "localtime"};

struct DeviceNode {
  const char* name;
  unsigned major, minor;
};
constexpr std::array kDevices = {DeviceNode{"null", 1, 3},   DeviceNode{"zero", 1, 5},    DeviceNode{"full", 1, 7},
                                 DeviceNode{"random", 1, 8}, DeviceNode{"urandom", 1, 9}, DeviceNode{"tty", 5, 0}};

Result<> MakeSystemDirectories(int root) {
  for (const char* name : kSystemDirectories) WRIT_TRY(name, ShowHostEntry(root, std::string("/") + name, name));
  return {};
}

Result<> MakeEtc(int root) {
  WRIT_TRY("etc", MakeDirectory(root, "etc"));
  WRIT_TRY("etc", MakeDirectory(root, "etc/ssl"));
  for (const char* name : kEtcShown) {
    const std::string path = std::string("etc/") + name;
    WRIT_TRY(name, ShowHostEntry(root, "/" + path, path.c_str()));
  }
  WRIT_TRY("etc", MakeFile(root, "etc/passwd",
                           fmt::format("root:x:0:0:root:/:/usr/sbin/nologin\nuser:x:{0}:{0}:user:/tmp/home:/bin/sh\n"
                                       "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n", kGuestId)));
  WRIT_TRY("etc", MakeFile(root, "etc/group", fmt::format("root:x:0:\nuser:x:{}:\nnogroup:x:65534:\n", kGuestId)));
  WRIT_TRY("etc", MakeFile(root, "etc/hosts", kHosts));
  WRIT_TRY("etc", MakeFile(root, "etc/resolv.conf", kResolver));
  return {};
}

}  // namespace

Result<> MakeMountPoints(int base) {
  for (const char* name : {"proc", "dev", "tmp", "work", "in", "out", "run", "opt", "opt/agents"}) WRIT_TRY("mount points", MakeDirectory(base, name));
  WRIT_TRY("mount points", MakeDirectory(base, ".cell", 0700));
  for (const char* name : {".cell/scratch", ".cell/workspace", ".cell/inputs", ".cell/tools", ".cell/void"})
    WRIT_TRY("mount points", MakeDirectory(base, name));
  return MakeMountPoint(base, ".cell/empty");
}

Result<> MakeDevices(int root) {
  const auto dev = WRIT_TRY("tmpfs", sys::NewMount("tmpfs", "size=64k,nr_inodes=64,mode=0755", {.no_dev = false, .no_exec = true}));
  WRIT_TRY("attach", sys::AttachMount(dev, root, "dev"));
  if (::fchdir(dev.get()) != 0) return FailErrno("chdir to /dev");
  for (const DeviceNode& node : kDevices) {
    WRIT_TRY(node.name, MakeMountPoint(dev.get(), node.name));
    WRIT_TRY(node.name, sys::BindMount((std::string("/dev/") + node.name).c_str(), node.name));
    struct stat meta {};
    if (::fstatat(dev.get(), node.name, &meta, AT_SYMLINK_NOFOLLOW) != 0) return FailErrno(node.name);
    if (!S_ISCHR(meta.st_mode) || meta.st_rdev != makedev(node.major, node.minor))
      return Fail(Code::kUnavailable, "/dev/{} of the host is not device {}:{}", node.name, node.major, node.minor);
  }
  for (const auto& [target, name] : {std::pair{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"},
                                     {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}})
    WRIT_TRY("dev links", MakeLink(dev.get(), target, name));
  WRIT_TRY("dev", MakeDirectory(dev.get(), "shm"));
  WRIT_TRY("dev", MakeDirectory(dev.get(), "pts"));
  return sys::RestrictMount(dev, {.read_only = true, .no_dev = false, .no_exec = true}, false);
}

Result<> AttachOver(const sys::UniqueFd& mount, std::span<const char* const> places) {
  for (const char* path : places)
    if (sys::AttachMount(mount, AT_FDCWD, path)) return {};
  return Fail(Code::kUnavailable, "none of {} exists to build the cell's root on", fmt::join(places, " "));
}

Result<sys::UniqueFd> AttachBase(std::span<const char* const> places) {
  auto base = WRIT_TRY("tmpfs", sys::NewMount("tmpfs", "size=1m,nr_inodes=512,mode=0755", {}));
  WRIT_TRY("attach", AttachOver(base, places));
  return base;
}

Result<sys::UniqueFd> BuildFixedRoot(std::span<const char* const> places) {
  auto base = WRIT_TRY("base", AttachBase(places));
  WRIT_TRY("mount points", MakeMountPoints(base.get()));
  WRIT_TRY("system directories", MakeSystemDirectories(base.get()));
  WRIT_TRY("etc", MakeEtc(base.get()));
  WRIT_TRY("/dev", MakeDevices(base.get()));
  // The building place stays for a later launch, closed to everybody but PID 1; with the root read-only, its owner
  // cannot open it again either. Unmounting it instead would wait for a grace period of the kernel on every launch.
  if (::fchmodat(base.get(), ".cell", 0, 0) != 0) return FailErrno("close the building place");
  WRIT_TRY("root", sys::RestrictMount(base, kReadOnly, false));
  return base;
}

std::vector<FixedRoot::Mark> FixedRoot::MarkHostEntries() {
  std::vector<Mark> marks;
  const auto mark = [&](const std::string& path) {
    struct stat meta {};
    if (::lstat(path.c_str(), &meta) != 0) return static_cast<void>(marks.emplace_back());
    const std::int64_t changed_ns = S_ISDIR(meta.st_mode) ? 0 : meta.st_ctim.tv_sec * 1'000'000'000 + meta.st_ctim.tv_nsec;
    marks.push_back({meta.st_dev, meta.st_ino, changed_ns});
  };
  for (const char* name : kSystemDirectories) mark(std::string("/") + name);
  for (const char* name : kEtcShown) mark(std::string("/etc/") + name);
  return marks;
}

bool FixedRoot::Make() {
  shown_ = MarkHostEntries();
  const mode_t mask = ::umask(022);
  const auto built = BuildFixedRoot(std::span(&kKept, 1));
  ::umask(mask);
  // What the host mounts from now on is not to appear in it.
  made_ = built && ::mount(nullptr, kKept, nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  possible_ = made_;
  const bool left = ::chdir("/") == 0;
  if (!made_ || !left) Drop();
  return made_;
}

/// Also what was only begun. Where nothing is attached there is nothing to detach.
void FixedRoot::Drop() {
  ::umount2(kKept, MNT_DETACH);
  made_ = false;
}

Result<sys::UniqueFd> FixedRoot::Copy(pid_t pid, const CellIds& ids) const {
  auto copy = WRIT_TRY("copy", sys::CloneMount(AT_FDCWD, kKept, true));
  if (!ids.whole_range) return copy;  // its files belong to the caller, who is the guest
  const sys::UniqueFd userns{::open(fmt::format("/proc/{}/ns/user", pid).c_str(), O_RDONLY | O_CLOEXEC)};
  if (!userns.valid()) return FailErrno("open the cell's user namespace");
  // Only the root itself, which PID 1 must own to enter its building place: what is mounted below belongs to nobody inside,
  // as the host's directories do.
  WRIT_TRY("map ids", sys::MapMountIds(copy, userns));
  return copy;
}

sys::UniqueFd FixedRoot::CopyFor(pid_t pid, const CellIds& ids) {
  if (!made_) return sys::UniqueFd();
  if (MarkHostEntries() != shown_) {
    Drop();
    return sys::UniqueFd();
  }
  auto copy = Copy(pid, ids);
  if (copy) return *std::move(copy);
  Drop();
  possible_ = false;
  return sys::UniqueFd();
}

}  // namespace writ::isolation::process

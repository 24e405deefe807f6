#include "isolation/process/root_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "isolation/process/identity.h"
#include "sys/mount_api.h"

namespace writ::isolation::process {
namespace {

constexpr sys::MountFlags kReadOnly{.read_only = true};
constexpr std::uint64_t kOwnInodes = 24;  // directories and overlay bookkeeping that are not the guest's

/// Host directories a guest sees, read-only. No /etc, /home, /root, /var, /srv, /opt, /run, /sys; /opt holds only the
/// place for SessionSpec::tools.
constexpr std::array kSystemDirectories = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/// Files and directories of the host's /etc a guest sees: what the dynamic loader, the alternatives links and TLS need.
constexpr std::array kEtcShown = {"ld.so.cache", "alternatives", "ssl/certs", "localtime"};

/// Entries of /proc beside the process directories that stay visible: programs size themselves by them.
constexpr std::array kProcShown = {"cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "net", "self",
                                   "stat",    "swaps",       "sys",     "sysvipc", "thread-self", "uptime", "version"};

/// Entries of /proc that only root may read: where that holds they need no cover, which costs twice the look.
constexpr std::array kProcPrivate = {"kcore", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "pagetypeinfo", "slabinfo", "timer_list", "vmallocinfo"};

bool OthersMayRead(int at, const char* name) {
  struct stat meta {};
  return ::fstatat(at, name, &meta, AT_SYMLINK_NOFOLLOW) != 0 || (meta.st_mode & 0004) != 0;
}

struct DeviceNode {
  const char* name;
  unsigned major, minor;
};
constexpr std::array kDevices = {DeviceNode{"null", 1, 3},   DeviceNode{"zero", 1, 5},    DeviceNode{"full", 1, 7},
                                 DeviceNode{"random", 1, 8}, DeviceNode{"urandom", 1, 9}, DeviceNode{"tty", 5, 0}};

Result<> MakeDirectory(int at, const char* path, mode_t mode = 0755) {
  if (::mkdirat(at, path, mode) != 0 && errno != EEXIST) return FailErrno(fmt::format("mkdir {}", path));
  return {};
}

Result<> MakeFile(int at, const char* path, std::string_view text = "") {
  const sys::UniqueFd fd{::openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)};
  if (!fd.valid()) return FailErrno(fmt::format("create {}", path));
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return FailErrno(path);
  return {};
}

/// An empty file for something to be mounted on.
Result<> MakeMountPoint(int at, const char* path) {
  if (::mknodat(at, path, S_IFREG | 0644, 0) != 0) return FailErrno(fmt::format("create {}", path));
  return {};
}

Result<> MakeLink(int at, const char* target, const char* path) {
  if (::symlinkat(target, at, path) != 0) return FailErrno(fmt::format("symlink {}", path));
  return {};
}

/// Shows the host's `from` (absolute) at `to` below `root`, read-only, as file, directory or link, as it is outside.
/// What the host lacks is left out.
Result<> ShowHostEntry(int root, const std::string& from, const char* to) {
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
    return MakeLink(root, target, to);
  }
  if (S_ISDIR(meta.st_mode)) {
    WRIT_TRY("mount point", MakeDirectory(root, to));
  } else if (S_ISREG(meta.st_mode)) {
    WRIT_TRY("mount point", MakeMountPoint(root, to));
  } else {
    return {};
  }
  const auto mount = WRIT_TRY("clone", sys::CloneMount(AT_FDCWD, from.c_str(), true));
  WRIT_TRY("restrict", sys::RestrictMount(mount, kReadOnly, true));
  return sys::AttachMount(mount, root, to);
}

Result<> MakeSystemDirectories(int root) {
  for (const char* name : kSystemDirectories) WRIT_TRY(name, ShowHostEntry(root, std::string("/") + name, name));
  return {};
}

constexpr std::string_view kHosts = "127.0.0.1 localhost\n::1 localhost\n";
constexpr std::string_view kResolver = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";

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

/// Directories on which something is mounted later; `base` is the root itself or the upper layer over a custom root.
Result<> MakeMountPoints(int base) {
  for (const char* name : {"proc", "dev", "tmp", "work", "in", "out", "run", "opt", "opt/agents"}) WRIT_TRY("mount points", MakeDirectory(base, name));
  WRIT_TRY("mount points", MakeDirectory(base, ".cell", 0700));
  for (const char* name : {".cell/scratch", ".cell/workspace", ".cell/inputs", ".cell/tools", ".cell/void"})
    WRIT_TRY("mount points", MakeDirectory(base, name));
  return MakeMountPoint(base, ".cell/empty");
}

Result<> MakeDev(int root) {
  const auto dev = WRIT_TRY("tmpfs", sys::NewMount("tmpfs", "size=64k,nr_inodes=64,mode=0755", {.no_dev = false, .no_exec = true}));
  WRIT_TRY("attach", sys::AttachMount(dev, root, "dev"));
  for (const DeviceNode& node : kDevices) {
    const std::string from = std::string("/dev/") + node.name;
    WRIT_TRY(node.name, MakeMountPoint(dev.get(), node.name));
    WRIT_TRY(node.name, sys::BindMount(from.c_str(), from.c_str() + 1));
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
  const auto pts = WRIT_TRY("devpts", sys::NewMount("devpts", "ptmxmode=0666,mode=0620,max=64", {.no_dev = false, .no_exec = true}));
  WRIT_TRY("devpts", sys::AttachMount(pts, dev.get(), "pts"));
  return sys::RestrictMount(dev, {.read_only = true, .no_dev = false, .no_exec = true}, false);
}

/// Own /proc. Everything beside the process directories that is not on a list is covered by an empty file or directory: an
/// entry that a newer kernel adds is hidden until somebody lists it.
Result<> MakeProc(int root) {
  const auto proc = WRIT_TRY("mount", sys::NewMount("proc", "hidepid=invisible", {.no_exec = true}));
  WRIT_TRY("attach", sys::AttachMount(proc, root, "proc"));
  DIR* entries = ::fdopendir(::openat(proc.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (entries == nullptr) return FailErrno("list /proc");
  Result<> covered;
  while (covered) {
    const dirent* entry = ::readdir(entries);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name[0] == '.' || (name[0] >= '0' && name[0] <= '9') || entry->d_type == DT_LNK ||
        std::find(kProcShown.begin(), kProcShown.end(), name) != kProcShown.end())
      continue;
    const bool listed = std::find(kProcPrivate.begin(), kProcPrivate.end(), name) != kProcPrivate.end();
    if (listed && !OthersMayRead(proc.get(), entry->d_name)) continue;
    // The cover is read-only as the root it comes from.
    covered = sys::BindMount(entry->d_type == DT_DIR ? ".cell/void" : ".cell/empty", (std::string("proc/") + entry->d_name).c_str());
  }
  ::closedir(entries);
  WRIT_TRY("cover entries", std::move(covered));
  const auto settings = WRIT_TRY("sys", sys::CloneMount(proc.get(), "sys", true));
  WRIT_TRY("sys", sys::RestrictMount(settings, {.read_only = true, .no_exec = true}, true));
  return sys::AttachMount(settings, proc.get(), "sys");
}

std::string ScratchOptions(std::uint64_t disk_bytes, std::uint64_t inodes) {
  return fmt::format("size={},nr_inodes={}", disk_bytes, inodes + kOwnInodes);
}

Result<> GiveToGuest(int at, const char* path, const RootPlan& plan) {
  if (plan.whole_range && ::fchownat(at, path, kGuestId, kGuestId, AT_SYMLINK_NOFOLLOW) != 0) return FailErrno(path);
  return {};
}

Result<CellRoot> MakeScratch(int root, const RootPlan& plan) {
  CellRoot made;
  made.scratch = WRIT_TRY("tmpfs", sys::NewMount("tmpfs", "mode=0755," + ScratchOptions(plan.disk_bytes, plan.inodes), {}));
  WRIT_TRY("attach", sys::AttachMount(made.scratch, root, ".cell/scratch"));
  const int at = made.scratch.get();
  for (const auto& [name, mode] : {std::pair{"tmp", 01777}, {"work", 0755}, {"out", 0755}, {"shm", 01777},
                                   {"upper", 0755}, {"overlay", 0700}, {"tmp/home", 0700}}) {
    WRIT_TRY(name, MakeDirectory(at, name, static_cast<mode_t>(mode)));
    if (mode == 01777 && ::fchmodat(at, name, 01777, 0) != 0) return FailErrno(name);  // beyond the umask
  }
  for (const char* name : {"tmp/home", "work", "out"}) WRIT_TRY("owner", GiveToGuest(at, name, plan));
  for (const auto& [from, to] : {std::pair{"tmp", "tmp"}, {"work", "work"}, {"out", "out"}, {"shm", "dev/shm"}}) {
    WRIT_TRY(to, sys::BindMount((std::string(".cell/scratch/") + from).c_str(), to));
  }
  return made;
}

/// The base of the new root: a small tmpfs, attached over a directory of the old root that is not needed any more.
Result<sys::UniqueFd> AttachBase() {
  auto base = WRIT_TRY("tmpfs", sys::NewMount("tmpfs", "size=1m,nr_inodes=512,mode=0755", {}));
  for (const char* path : {"/tmp", "/run", "/mnt", "/media", "/home"})
    if (sys::AttachMount(base, AT_FDCWD, path)) return base;
  return Fail(Code::kUnavailable, "none of /tmp /run /mnt /media /home exists to build the cell's root on");
}

/// Another root file system below, our mount points and network files above, all read-only.
Result<sys::UniqueFd> OverlayCustomRoot(const sys::UniqueFd& base, const sys::UniqueFd& custom) {
  for (const char* name : {"skeleton", "custom", "root"}) WRIT_TRY(name, MakeDirectory(base.get(), name));
  const sys::UniqueFd skeleton{::openat(base.get(), "skeleton", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!skeleton.valid()) return FailErrno("skeleton");
  WRIT_TRY("mount points", MakeMountPoints(skeleton.get()));
  WRIT_TRY("etc", MakeDirectory(skeleton.get(), "etc"));
  WRIT_TRY("etc", MakeFile(skeleton.get(), "etc/hosts", kHosts));
  WRIT_TRY("etc", MakeFile(skeleton.get(), "etc/resolv.conf", kResolver));
  if (::fchmodat(skeleton.get(), ".cell", 0, 0) != 0) return FailErrno("close the building place");
  WRIT_TRY("attach", sys::AttachMount(custom, base.get(), "custom"));
  if (::fchdir(base.get()) != 0) return FailErrno("chdir to the base");
  auto root = WRIT_TRY("overlay", sys::NewMount("overlay", "lowerdir=skeleton:custom", kReadOnly));
  WRIT_TRY("attach", sys::AttachMount(root, base.get(), "root"));
  return root;
}

}  // namespace

namespace {

/// What is not writable: system directories, /etc and the places of mounts.
Result<sys::UniqueFd> MakeFixedPart(const RootPlan& plan) {
  auto base = WRIT_TRY("base", AttachBase());
  if (plan.custom_root != nullptr) return OverlayCustomRoot(base, *plan.custom_root);
  WRIT_TRY("mount points", MakeMountPoints(base.get()));
  WRIT_TRY("system directories", MakeSystemDirectories(base.get()));
  WRIT_TRY("etc", MakeEtc(base.get()));
  // The building place stays for a later launch, closed to everybody but PID 1; with the root read-only, its owner
  // cannot open it again either. Unmounting it instead would wait for a grace period of the kernel on every launch.
  if (::fchmodat(base.get(), ".cell", 0, 0) != 0) return FailErrno("close the building place");
  WRIT_TRY("root", sys::RestrictMount(base, kReadOnly, false));
  return base;
}

}  // namespace

Result<CellRoot> BuildRoot(const RootPlan& plan) {
  ::umask(022);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return FailErrno("make mounts private");
  const sys::UniqueFd base = WRIT_TRY("fixed part", MakeFixedPart(plan));
  const int root = base.get();
  if (::fchdir(root) != 0) return FailErrno("chdir to the new root");
  WRIT_TRY("/dev", MakeDev(root));
  WRIT_TRY("/proc", MakeProc(root));
  auto made = WRIT_TRY("writable places", MakeScratch(root, plan));
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return FailErrno("pivot_root");
  if (::umount2(".", MNT_DETACH) != 0) return FailErrno("detach the old root");
  if (::chdir("/") != 0) return FailErrno("chdir to the root");
  return made;
}

bool UpperPossible(const CellRoot& root) {
  const sys::UniqueFd upper{::openat(root.scratch.get(), "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return upper.valid() && ::fsetxattr(upper.get(), "user.writ.probe", "1", 1, 0) == 0 &&
         ::fremovexattr(upper.get(), "user.writ.probe") == 0;
}

Result<> ResizeScratch(const CellRoot& root, std::uint64_t disk_bytes, std::uint64_t inodes) {
  return sys::ReconfigureMount(root.scratch, ScratchOptions(disk_bytes, inodes));
}

Result<> PlaceFiles(const CellRoot& root, std::span<const PlacedFile> files) {
  const int at = root.scratch.get();
  for (const char* name : {"run", "run/writ"}) WRIT_TRY("files", MakeDirectory(at, name));
  for (const PlacedFile& file : files) {
    if (file.name.empty() || file.name[0] == '.' || file.name.find('/') != std::string::npos)
      return Fail(Code::kInvalid, "{:?} is no name for a file of /run/writ", file.name);
    WRIT_TRY("files", MakeFile(at, ("run/writ/" + file.name).c_str(), file.bytes));
  }
  const auto mount = WRIT_TRY("files", sys::CloneMount(at, "run", false));
  WRIT_TRY("files", sys::RestrictMount(mount, {.read_only = true, .no_exec = true}, false));
  return sys::AttachMount(mount, AT_FDCWD, "/run");
}

Result<> MountWorkspaceOverlay(const CellRoot& root, const sys::UniqueFd& lower) {
  if (::chdir("/.cell") != 0) return FailErrno("chdir to the building place");
  WRIT_TRY("attach the workspace", sys::AttachMount(lower, AT_FDCWD, "workspace"));
  // The upper directory becomes the root of /work: same owner and mode as the original.
  struct stat meta {};
  if (::fstat(lower.get(), &meta) != 0) return FailErrno("stat the workspace");
  if (::fchownat(root.scratch.get(), "upper", meta.st_uid, meta.st_gid, 0) != 0 && errno != EINVAL && errno != EPERM)
    return FailErrno("own the upper layer");
  if (::fchmodat(root.scratch.get(), "upper", meta.st_mode & 0777, 0) != 0) return FailErrno("mode of the upper layer");
  const auto overlay = WRIT_TRY("overlay", sys::NewMount("overlay",
      "lowerdir=workspace,upperdir=scratch/upper,workdir=scratch/overlay,userxattr", {}));
  WRIT_TRY("attach the overlay", sys::AttachMount(overlay, AT_FDCWD, "/work"));
  // The overlay holds on to its layer; the mount itself would show the host's path in mountinfo.
  if (::umount2("workspace", MNT_DETACH) != 0) return FailErrno("detach the workspace");
  if (::chdir("/") != 0) return FailErrno("chdir to the root");
  return {};
}

namespace {

/// Through an overlay, so that the host's path is not visible.
Result<> MountReadOnly(const sys::UniqueFd& lower, const char* building, const char* place) {
  if (::chdir("/.cell") != 0) return FailErrno("chdir to the building place");
  WRIT_TRY("attach", sys::AttachMount(lower, AT_FDCWD, building));
  const auto overlay = WRIT_TRY("overlay", sys::NewMount("overlay", fmt::format("lowerdir={}:void", building), kReadOnly));
  WRIT_TRY("attach the overlay", sys::AttachMount(overlay, AT_FDCWD, place));
  if (::umount2(building, MNT_DETACH) != 0) return FailErrno("detach what lies below");
  if (::chdir("/") != 0) return FailErrno("chdir to the root");
  return {};
}

}  // namespace

Result<> MountInputs(const sys::UniqueFd& lower) { return MountReadOnly(lower, "inputs", "/in"); }

Result<> MountTools(const sys::UniqueFd& lower) { return MountReadOnly(lower, "tools", std::string(kToolsPlace).c_str()); }

}  // namespace writ::isolation::process

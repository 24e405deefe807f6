#include "isolation/process/root_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "isolation/process/fixed_root.h"
#include "isolation/process/root_entries.h"
#include "sys/mount_api.h"

namespace writ::isolation::process {
namespace {

constexpr sys::MountFlags kReadOnly{.read_only = true};
constexpr std::uint64_t kOwnInodes = 24;  // directories and overlay bookkeeping that are not the guest's

/// Entries of /proc beside the process directories that stay visible: programs size themselves by them.
constexpr std::array kProcShown = {"cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "net", "self",
                                   "stat",    "swaps",       "sys",     "sysvipc", "thread-self", "uptime", "version"};

/// Entries of /proc that only root may read: where that holds they need no cover, which costs twice the look.
constexpr std::array kProcPrivate = {"kcore", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "pagetypeinfo", "slabinfo", "timer_list", "vmallocinfo"};

bool OthersMayRead(int at, const char* name) {
  struct stat meta {};
  return ::fstatat(at, name, &meta, AT_SYMLINK_NOFOLLOW) != 0 || (meta.st_mode & 0004) != 0;
}

/// Terminals of the cell's own.
Result<> MakeTerminals(int root) {
  const auto pts = WRIT_TRY("devpts", sys::NewMount("devpts", "ptmxmode=0666,mode=0620,max=64", {.no_dev = false, .no_exec = true}));
  return sys::AttachMount(pts, root, "dev/pts");
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

/// What is not writable, attached over a directory of the old root that is not needed any more.
Result<sys::UniqueFd> AttachFixedPart(RootPlan& plan) {
  constexpr const char* kPlaces[] = {"/tmp", "/run", "/mnt", "/media", "/home"};
  if (plan.custom_root.valid()) {
    const auto base = WRIT_TRY("base", AttachBase(kPlaces));
    auto root = WRIT_TRY("root", OverlayCustomRoot(base, plan.custom_root));
    WRIT_TRY("/dev", MakeDevices(root.get()));
    return root;
  }
  if (!plan.fixed_root.valid()) return BuildFixedRoot(kPlaces);
  WRIT_TRY("attach", AttachOver(plan.fixed_root, kPlaces));
  return std::move(plan.fixed_root);
}

}  // namespace

Result<CellRoot> BuildRoot(RootPlan plan) {
  ::umask(022);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return FailErrno("make mounts private");
  const sys::UniqueFd base = WRIT_TRY("fixed part", AttachFixedPart(plan));
  const int root = base.get();
  if (::fchdir(root) != 0) return FailErrno("chdir to the new root");
  WRIT_TRY("/dev", MakeTerminals(root));
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

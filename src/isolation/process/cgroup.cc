#include "isolation/process/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <utility>

#include "sys/swap.h"

namespace writ::isolation::process {
namespace {

constexpr std::string_view kCellPrefix = "writ-cell-";
constexpr std::int64_t kCpuPeriodUs = 100'000;

std::string ReadSmall(const char* path) {
  const sys::UniqueFd fd{::open(path, O_RDONLY | O_CLOEXEC)};
  std::string text;
  if (!fd.valid()) return text;
  char chunk[4096];
  for (ssize_t got; (got = ::read(fd.get(), chunk, sizeof chunk)) > 0 && text.size() < (1u << 20);)
    text.append(chunk, static_cast<std::size_t>(got));
  return text;
}

/// Whether the jail that made a directory "PID-NUMBER" runs, as far as this process can see.
bool JailLives(std::string_view pid_and_number) {
  pid_t pid = 0;
  const char* const last = pid_and_number.data() + pid_and_number.size();
  const auto [end, error] = std::from_chars(pid_and_number.data(), last, pid);
  return error == std::errc{} && end != last && pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

Result<> WriteAt(int directory, const char* name, std::string_view text) {
  const sys::UniqueFd fd{::openat(directory, name, O_WRONLY | O_CLOEXEC)};
  if (!fd.valid()) return FailErrno(name);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return FailErrno(fmt::format("write \"{}\" to {}", text, name));
  return {};
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return parts;
}

bool Contains(std::string_view list, char separator, std::string_view item) {
  const auto parts = Split(list, separator);
  return std::find(parts.begin(), parts.end(), item) != parts.end();
}

struct Hierarchy {
  std::string mount_point, root, controllers;  ///< controllers: the super options; empty for v2
  bool v2 = false;
};

/// Source: proc(5), mountinfo: "36 35 98:0 /root /mount options - type source super-options".
std::vector<Hierarchy> Hierarchies() {
  std::vector<Hierarchy> found;
  const std::string text = ReadSmall("/proc/self/mountinfo");
  for (const std::string_view line : Split(text, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = Split(line.substr(0, dash), ' '), after = Split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3 || (after[0] != "cgroup" && after[0] != "cgroup2")) continue;
    Hierarchy item;
    item.root = before[3];
    item.mount_point = before[4];
    item.v2 = after[0] == "cgroup2";
    if (!item.v2) item.controllers = after[2];
    found.push_back(std::move(item));
  }
  return found;
}

/// Where the cgroup `own` (from /proc/self/cgroup) is visible in the hierarchy; empty when it is not.
std::string PathIn(const Hierarchy& hierarchy, std::string_view own) {
  if (own.find("/..") != std::string_view::npos) return {};
  if (hierarchy.root != "/") {
    if (!own.starts_with(hierarchy.root)) return own == "/" ? hierarchy.mount_point : std::string{};
    own.remove_prefix(hierarchy.root.size());
  }
  std::string path = hierarchy.mount_point;
  if (own != "/") path += own;
  return path;
}

/// Own cgroup path per controller list in the text of /proc/self/cgroup: "4:memory:/a/b", "0::/c".
std::string OwnCgroup(std::string_view text, std::string_view controller) {
  for (const std::string_view line : Split(text, '\n')) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view list = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? list.empty() : Contains(list, ',', controller)) return std::string(line.substr(second + 1));
  }
  return {};
}

/// True when cells can be made below `path` with memory, pids and cpu controlled.
bool UsableV2(const std::string& path) {
  if (path.empty() || ::access(path.c_str(), W_OK) != 0 || ::access((path + "/cgroup.procs").c_str(), W_OK) != 0) return false;
  const auto enabled = [&] {
    std::string list = ReadSmall((path + "/cgroup.subtree_control").c_str());
    std::replace(list.begin(), list.end(), '\n', ' ');
    return Contains(list, ' ', "memory") && Contains(list, ' ', "pids") && Contains(list, ' ', "cpu");
  };
  if (enabled()) return true;
  const sys::UniqueFd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return directory.valid() && WriteAt(directory.get(), "cgroup.subtree_control", "+memory +pids +cpu") && enabled();
}

/// MemoryMechanism of the group `directory` (a descriptor), or of groups to be made below it. /proc/swaps is only
/// looked at where the kernel does not count swap.
std::string_view MemoryMechanismAt(int directory, CgroupVersion version) {
  const char* const file = version == CgroupVersion::kV2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
  const bool limited = ::faccessat(directory, file, F_OK, 0) == 0;
  return MemoryMechanism(version, limited, !limited && sys::HostHasSwap());
}

std::string MemoryMechanismBelow(const std::string& path, CgroupVersion version) {
  const sys::UniqueFd directory{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  return std::string(MemoryMechanismAt(directory.get(), version));
}

}  // namespace

std::string_view MemoryMechanism(CgroupVersion version, bool swap_is_limited, bool host_has_swap) {
  const bool whole = swap_is_limited || !host_has_swap;
  if (version == CgroupVersion::kV2) return whole ? "cgroup2" : "cgroup2-no-swap-limit";
  return whole ? "cgroup1" : "cgroup1-swappiness";
}

CgroupPlan CgroupPlan::Find(bool as_root, const std::string& delegated) {
  CgroupPlan plan;
  const auto hierarchies = Hierarchies();
  const std::string own_cgroups = ReadSmall("/proc/self/cgroup");
  for (const Hierarchy& hierarchy : hierarchies) {
    if (!hierarchy.v2) continue;
    std::vector<std::string> candidates;
    if (!delegated.empty()) candidates.push_back(delegated);
    const std::string own = PathIn(hierarchy, OwnCgroup(own_cgroups, ""));
    if (as_root) {
      // A directory of our own below the root, which a service manager leaves alone.
      const std::string ours = hierarchy.mount_point + "/writ";
      if (UsableV2(hierarchy.mount_point) && (::mkdir(ours.c_str(), 0755) == 0 || errno == EEXIST)) candidates.push_back(ours);
    } else if (own.size() > hierarchy.mount_point.size()) {
      candidates.push_back(own.substr(0, own.rfind('/')));
    }
    if (!own.empty() && own != hierarchy.mount_point) candidates.push_back(own);
    for (const std::string& path : candidates) {
      if (!UsableV2(path)) continue;
      plan.parents_.push_back({"", path, CgroupVersion::kV2});
      plan.memory_ = MemoryMechanismBelow(path, CgroupVersion::kV2);
      return plan;
    }
  }
  if (!as_root) return plan;
  for (const char* controller : {"memory", "pids", "cpu", "cpuacct"}) {
    for (const Hierarchy& hierarchy : hierarchies) {
      if (hierarchy.v2 || !Contains(hierarchy.controllers, ',', controller)) continue;
      const std::string path = PathIn(hierarchy, OwnCgroup(own_cgroups, controller));
      if (path.empty() || ::access(path.c_str(), W_OK) != 0) continue;
      plan.parents_.push_back({controller, path, CgroupVersion::kV1});
      if (std::string_view(controller) == "memory") plan.memory_ = MemoryMechanismBelow(path, CgroupVersion::kV1);
      break;
    }
  }
  return plan;
}

std::string CgroupPlan::MechanismFor(std::string_view controller) const {
  if (controller == "memory") return memory_;
  for (const Parent& parent : parents_) {
    if (parent.version == CgroupVersion::kV2) return "cgroup2";
    if (parent.controller == controller) return "cgroup1";
  }
  return {};
}

Result<CellCgroup> CgroupPlan::Make() {
  if (auto ahead = std::exchange(ahead_, std::nullopt); ahead && ahead->Exists()) return *std::move(ahead);
  return MakeDirectories();
}

Result<> CgroupPlan::MakeAhead(const Limits& expected) {
  CellCgroup made = WRIT_TRY("control group", MakeDirectories());
  [[maybe_unused]] const Mechanisms applied = WRIT_TRY("limits", made.Apply(expected));
  ahead_ = std::move(made);
  return {};
}

Result<CellCgroup> CgroupPlan::MakeDirectories() {
  CellCgroup cell;
  cell.promised_memory_ = memory_;
  const std::string name = fmt::format("{}{}-{}", kCellPrefix, ::getpid(), next_++);
  for (const Parent& parent : parents_) {
    CellCgroup::Directory directory;
    directory.controller = parent.controller;
    directory.version = parent.version;
    directory.path = parent.path + "/" + name;
    // Controllers mounted together (cpu,cpuacct) share one directory.
    if (::mkdir(directory.path.c_str(), 0755) != 0 && errno != EEXIST) return FailErrno(fmt::format("mkdir {}", directory.path));
    directory.fd = sys::UniqueFd{::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory.fd.valid()) return FailErrno(directory.path);
    const int at = directory.fd.get();
    const auto stat = [&](const char* key, const char* file) {
      sys::UniqueFd fd{::openat(at, file, O_RDONLY | O_CLOEXEC)};
      if (fd.valid()) cell.stats_.emplace_back(key, std::move(fd));
    };
    if (parent.version == CgroupVersion::kV2) {
      stat("v2.cpu", "cpu.stat");
      stat("v2.peak", "memory.peak");
      stat("v2.oom", "memory.events");
      cell.into_ = sys::UniqueFd{::openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    } else {
      if (parent.controller == "cpuacct") stat("v1.cpu", "cpuacct.usage");
      if (parent.controller == "memory") {
        stat("v1.peak", "memory.max_usage_in_bytes");
        stat("v1.oom", "memory.oom_control");
      }
      sys::UniqueFd tasks{::openat(at, "tasks", O_WRONLY | O_CLOEXEC)};
      if (!tasks.valid()) return FailErrno(directory.path + "/tasks");
      cell.tasks_.push_back(std::move(tasks));
    }
    cell.directories_.push_back(std::move(directory));
  }
  return cell;
}

void CgroupPlan::Sweep() {
  ahead_.reset();
  constexpr std::time_t kUnusedForS = 60;  // younger ones may belong to a cell that is being made
  for (const Parent& parent : parents_) {
    DIR* directory = ::opendir(parent.path.c_str());
    if (directory == nullptr) continue;
    while (const dirent* entry = ::readdir(directory)) {
      struct stat meta {};
      const std::string_view name = entry->d_name;
      if (!name.starts_with(kCellPrefix) || JailLives(name.substr(kCellPrefix.size())) ||
          ::fstatat(::dirfd(directory), entry->d_name, &meta, AT_SYMLINK_NOFOLLOW) != 0 ||
          ::time(nullptr) - meta.st_mtime < kUnusedForS)
        continue;
      ::unlinkat(::dirfd(directory), entry->d_name, AT_REMOVEDIR);  // EBUSY while a process is inside: not ours to end
    }
    ::closedir(directory);
  }
}

bool CellCgroup::Exists() const {
  return std::ranges::all_of(directories_, [](const Directory& directory) { return ::access(directory.path.c_str(), F_OK) == 0; });
}

CellCgroup& CellCgroup::operator=(CellCgroup&& other) noexcept {
  std::swap(directories_, other.directories_);
  std::swap(tasks_, other.tasks_);
  std::swap(into_, other.into_);
  std::swap(stats_, other.stats_);
  promised_memory_ = std::move(other.promised_memory_);
  applied_ = other.applied_;
  any_applied_ = other.any_applied_;
  return *this;
}

CellCgroup::~CellCgroup() {
  for (const Directory& directory : directories_) {
    if (directory.path.empty()) continue;
    // The last process may still be on its way out of the group for a moment after it was reaped.
    for (int attempt = 0; ::rmdir(directory.path.c_str()) != 0 && errno == EBUSY && attempt < 200; ++attempt) ::usleep(500);
  }
}

bool CellCgroup::Controls(std::string_view controller) const {
  return std::any_of(directories_.begin(), directories_.end(), [&](const Directory& directory) {
    return directory.version == CgroupVersion::kV2 || directory.controller == controller;
  });
}

Result<Mechanisms> CellCgroup::Apply(const Limits& limits) {
  Mechanisms enforced;
  const bool fresh = !any_applied_;
  const auto quota = std::to_string(std::max<std::int64_t>(1000, kCpuPeriodUs * limits.cpu_millis / 1000));
  for (const Directory& directory : directories_) {
    const int at = directory.fd.get();
    const bool v2 = directory.version == CgroupVersion::kV2;
    const std::string mechanism = v2 ? "cgroup2" : "cgroup1";
    if (v2 || directory.controller == "memory") {
      if (fresh || applied_.memory_bytes != limits.memory_bytes) {
        const std::string bytes = std::to_string(limits.memory_bytes);
        if (v2) {
          WRIT_TRY("limit memory", WriteAt(at, "memory.max", bytes));
          if (::faccessat(at, "memory.swap.max", F_OK, 0) == 0) WRIT_TRY("forbid swap", WriteAt(at, "memory.swap.max", "0"));
        } else {
          // The limit with swap may never be below the one without: raise or lower in the order that keeps it so.
          const bool swap_counted = ::faccessat(at, "memory.memsw.limit_in_bytes", F_OK, 0) == 0;
          const bool raise = !fresh && limits.memory_bytes > applied_.memory_bytes;
          if (swap_counted && raise) WRIT_TRY("limit memory and swap", WriteAt(at, "memory.memsw.limit_in_bytes", bytes));
          WRIT_TRY("limit memory", WriteAt(at, "memory.limit_in_bytes", bytes));
          if (swap_counted && !raise) WRIT_TRY("limit memory and swap", WriteAt(at, "memory.memsw.limit_in_bytes", bytes));
          if (!swap_counted) WRIT_TRY("forbid swap", WriteAt(at, "memory.swappiness", "0"));
        }
      }
      const std::string_view memory = MemoryMechanismAt(at, directory.version);
      if (memory != mechanism && promised_memory_ == mechanism)
        return Fail(Code::kUnavailable, "swap was turned on and this kernel's control group does not limit it: try again, "
                                        "and say --accept memory={}", memory);
      enforced["memory"] = memory;
    }
    if (v2 || directory.controller == "pids") {
      if (fresh || applied_.pids != limits.pids)
        WRIT_TRY("limit processes", WriteAt(at, "pids.max", std::to_string(std::uint64_t{limits.pids} + 1)));
      enforced["pids"] = mechanism;
    }
    if (v2 || directory.controller == "cpu") {
      if (fresh || applied_.cpu_millis != limits.cpu_millis) {
        if (v2) {
          WRIT_TRY("limit cpu", WriteAt(at, "cpu.max", fmt::format("{} {}", quota, kCpuPeriodUs)));
        } else {
          WRIT_TRY("limit cpu", WriteAt(at, "cpu.cfs_quota_us", quota));
        }
      }
      enforced["cpus"] = mechanism;
    }
    if (v2 || directory.controller == "cpuacct") enforced["cpu-time"] = mechanism;
  }
  applied_ = limits;
  any_applied_ = true;
  return enforced;
}

std::vector<std::pair<std::string, int>> CellCgroup::Stats() const {
  std::vector<std::pair<std::string, int>> stats;
  for (const auto& [name, fd] : stats_) stats.emplace_back(name, fd.get());
  return stats;
}

}  // namespace writ::isolation::process

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/ids.h"
#include "isolation/probe/cgroup_places.h"
#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"
#include "sys/swap.h"

namespace writ::isolation {
namespace {

struct Controller {
  const char* name;
  const char* file;   ///< which limit is set
  const char* value;  ///< and to what; read back afterwards
};
constexpr std::array<Controller, 3> kV2 = {{{"memory", "memory.max", "67108864"},
                                            {"pids", "pids.max", "1"},
                                            {"cpu", "cpu.max", "50000 100000"}}};
constexpr std::array<Controller, 4> kV1 = {{{"memory", "memory.limit_in_bytes", "67108864"},
                                            {"pids", "pids.max", "1"},
                                            {"cpu", "cpu.cfs_quota_us", "50000"},
                                            {"cpuacct", "cpuacct.usage", nullptr}}};

const char* const kUserFix =
    "log in through systemd on a host with cgroup v2 (boot with systemd.unified_cgroup_hierarchy=1), so that it can "
    "delegate a scope, or run as root; without it the limit needs --accept";
const char* const kRootFix =
    "make the cgroup hierarchy writable: in a container a private cgroup namespace with /sys/fs/cgroup read-write; "
    "without it the limit needs --accept";
const char* const kOtherVersionFix =
    "boot with systemd.unified_cgroup_hierarchy=1 for cgroup v2; where cgroup1 has the controller, that serves instead";

const char* const kSwapFix =
    "boot with swapaccount=1, or turn swap off; without it a run needs --accept memory=cgroup1-swappiness, or with "
    "cgroup v2 memory=cgroup2-no-swap-limit";

/// Whether the memory limit of a group made below `base` is one of memory and swap together.
Finding SeeSwapLimit(const std::string& base, const char* file) {
  if (::access((base + "/" + file).c_str(), F_OK) == 0) return Finding::Ok(std::string("there is ") + file);
  if (!sys::HostHasSwap()) return Finding::Ok("this host has no swap");
  return Finding::Missing(std::string("no ") + file + ", and this host swaps", kSwapFix);
}

bool HasWord(const std::string& list, std::string_view word) {
  for (std::size_t at = list.find(word); at != std::string::npos; at = list.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const auto border = [&](std::size_t i) { return list[i] == ' ' || list[i] == '\n'; };
    if ((at == 0 || border(at - 1)) && (end == list.size() || border(end))) return true;
  }
  return false;
}

/// A fork inside a cgroup whose pids.max is 1 must fail.
std::string SeePidsLimit(const std::string& cgroup) {
  const int status = RunStep([&] {
    if (WriteOnce(cgroup + "/cgroup.procs", "0")) return 1;
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    if (pid < 0) return errno == EAGAIN ? 0 : 2;
    ::waitpid(pid, nullptr, 0);
    return 3;
  });
  if (status == 0) return "";
  return status == 1 ? "a process could not be moved in" : "the limit of processes did not hold";
}

/// Sets the limit in an existing cgroup and sees that it is set; empty on success.
std::string SetLimit(const std::string& cgroup, const Controller& controller) {
  const std::string file = cgroup + "/" + controller.file;
  if (controller.value == nullptr)
    return ReadSmall(file).empty() ? std::string(controller.file) + " cannot be read" : "";
  if (auto why = WriteOnce(file, controller.value)) return std::string("write ") + controller.file + ": " + *why;
  if (ReadSmall(file) != std::string(controller.value) + "\n")
    return std::string(controller.file) + " did not keep its value";
  return std::string_view(controller.name) == "pids" ? SeePidsLimit(cgroup) : "";
}

bool HasChildren(const std::string& cgroup) {
  DIR* const directory = ::opendir(cgroup.c_str());
  if (directory == nullptr) return true;  // not known: assume the careful case
  bool found = false;
  while (const dirent* entry = ::readdir(directory))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') found = true;
  ::closedir(directory);
  return found;
}

void RemoveCgroup(const std::string& path) {
  // A killed process leaves its cgroup a moment after it was reaped.
  for (int attempt = 0; attempt < 50; ++attempt) {
    if (::rmdir(path.c_str()) == 0 || errno != EBUSY) return;
    ::usleep(2000);
  }
}

/// One try at one place: a child cgroup with the limit. Leaves the place as it was found. `swap` is set where the child
/// has a limit of memory.
std::string TryV2At(const std::string& base, const std::string& name, const Controller& controller,
                    std::optional<Finding>& swap) {
  const std::string child = base + "/" + name, control = base + "/cgroup.subtree_control";
  if (!HasWord(ReadSmall(base + "/cgroup.controllers"), controller.name))
    return std::string("cgroup.controllers does not list ") + controller.name;
  bool enabled_here = false;
  if (!HasWord(ReadSmall(control), controller.name)) {
    if (auto why = WriteOnce(control, std::string("+") + controller.name)) return "enable controller: " + *why;
    enabled_here = true;
  }
  std::string trouble;
  if (::mkdir(child.c_str(), 0700) != 0)
    trouble = "mkdir: " + ErrnoText(errno);
  else
    trouble = SetLimit(child, controller);
  if (trouble.empty() && std::string_view(controller.name) == "memory") swap = SeeSwapLimit(child, "memory.swap.max");
  RemoveCgroup(child);
  // Somebody who made a cgroup here meanwhile counts on the controller.
  if (enabled_here && !HasChildren(base)) (void)WriteOnce(control, std::string("-") + controller.name);
  return trouble;
}

void TryV2(const std::vector<std::string>& places, const std::string& name, const char* fix, Findings& findings) {
  std::optional<Finding> swap;
  for (const Controller& controller : kV2) {
    std::string trouble = places.empty() ? "no cgroup v2 hierarchy is mounted" : "";
    for (const std::string& base : places) {
      const std::string why = TryV2At(base, name, controller, swap);
      if (why.empty()) {
        trouble.clear();
        break;
      }
      if (trouble.find(why) == std::string::npos) trouble += (trouble.empty() ? "" : "; ") + why;
    }
    findings.Add(std::string("cgroup2.") + controller.name,
                 trouble.empty() ? Finding::Ok(std::string("a child cgroup took ") + controller.file)
                                 : Finding::Missing(trouble, fix));
  }
  findings.Add("cgroup2.swap", swap.value_or(Finding::Missing("no cgroup v2 limits memory here", fix)));
}

Finding TryV1(const std::string& base, const std::string& name, const Controller& controller, const char* fix) {
  const std::string child = base + "/" + name;
  if (::mkdir(child.c_str(), 0700) != 0) return Finding::Missing("mkdir: " + ErrnoText(errno), fix);
  const std::string trouble = SetLimit(child, controller);
  RemoveCgroup(child);
  if (!trouble.empty()) return Finding::Missing(trouble, fix);
  return Finding::Ok(std::string("a child cgroup ") + (controller.value ? "took " : "reports ") + controller.file);
}

/// A scope of our own with a sleeper in it: moved to a leaf, so that limits can be set beside it.
Finding TryScope(const ProbeOptions& options) {
  const pid_t pid = ::fork();
  if (pid < 0) return Finding::Missing("fork: " + ErrnoText(errno), kUserFix);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
  std::vector<std::string> made;
  std::string trouble;
  const auto scope = options.delegate_scope(pid, Deadline::After(options.deadline_each * 4 / 5));
  if (!scope) {
    trouble = scope.error().what;
  } else {
    made = {*scope + "/sleeper", *scope + "/run"};
    const auto must = [&](const char* step, std::optional<std::string> why) {
      if (trouble.empty() && why) trouble = std::string(step) + ": " + *why;
    };
    for (const std::string& path : made)
      must("make a cgroup in the scope",
           ::mkdir(path.c_str(), 0700) == 0 ? std::nullopt : std::optional(ErrnoText(errno)));
    must("move the process", WriteOnce(made[0] + "/cgroup.procs", std::to_string(pid)));
    must("enable controllers", WriteOnce(*scope + "/cgroup.subtree_control", "+memory +pids +cpu"));
    for (const Controller& controller : kV2) {
      if (!trouble.empty()) break;
      // A process outside the delegated scope cannot be moved in, so the values are proof enough for pids here.
      if (auto why = WriteOnce(made[1] + "/" + controller.file, controller.value)) trouble = *why;
      if (ReadSmall(made[1] + "/" + controller.file) != std::string(controller.value) + "\n")
        trouble = std::string(controller.file) + " did not keep its value";
    }
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  for (const std::string& path : made) RemoveCgroup(path);
  return trouble.empty() ? Finding::Ok("systemd delegated a scope; memory, pids and cpu can be set")
                         : Finding::Missing(trouble, kUserFix);
}

}  // namespace

void AddCgroupProbes(const Caller& caller, const ProbeOptions& options, std::vector<ProbeSpec>& specs) {
  const char* const fix = caller.root ? kRootFix : kUserFix;
  const CgroupPlaces places = FindCgroupPlaces(ReadSmall("/proc/self/mountinfo"), ReadSmall("/proc/self/cgroup"));
  const char* const v2_fix = caller.root && !places.v1.empty() ? kOtherVersionFix : fix;
  const std::string name = MakeId("writ-probe-");

  // Our own cgroup holds processes, so its children cannot have controllers: root starts at the top, others at the
  // cgroup above where that was delegated to them.
  std::vector<std::string> v2;
  for (const std::string& place : {caller.root ? places.v2_top : places.v2_parent, places.v2_own})
    if (!place.empty() && std::ranges::find(v2, place) == v2.end()) v2.push_back(place);
  specs.emplace_back(
      std::vector<std::string>{"cgroup2.memory", "cgroup2.pids", "cgroup2.cpu", "cgroup2.swap"},
      [v2, name, v2_fix](Findings& findings) { TryV2(v2, name, v2_fix, findings); },
      [v2, name] {
        for (const std::string& base : v2) RemoveCgroup(base + "/" + name);
      });
  if (!caller.root && options.delegate_scope)
    specs.emplace_back("cgroup2.scope", [&options] { return TryScope(options); });

  for (const Controller& controller : kV1) {
    const auto found = places.v1.find(controller.name);
    if (found == places.v1.end()) continue;
    const std::string base = found->second, own_name = name + "-" + controller.name;
    const std::string probe = std::string("cgroup1.") + controller.name;
    specs.emplace_back(
        std::vector<std::string>{probe},
        [=](Findings& findings) { findings.Add(probe, TryV1(base, own_name, controller, fix)); },
        [=] { RemoveCgroup(base + "/" + own_name); });
    if (std::string_view(controller.name) == "memory")
      specs.emplace_back("cgroup1.swap", [base] { return SeeSwapLimit(base, "memory.memsw.limit_in_bytes"); });
  }
}

}  // namespace writ::isolation

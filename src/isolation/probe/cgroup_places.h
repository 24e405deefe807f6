#pragma once

#include <map>
#include <string>
#include <string_view>

namespace writ::isolation {

/// Directories of the caller's cgroups as they are mounted here. Empty where there is none.
struct CgroupPlaces {
  std::string v2_own;     ///< our cgroup
  std::string v2_parent;  ///< the one above it, where processes may be moved beside us; empty for the top
  std::string v2_top;     ///< where the hierarchy is mounted
  std::map<std::string, std::string, std::less<>> v1;  ///< controller -> our cgroup in its hierarchy
};

/// Pure: reads the texts of /proc/self/mountinfo and /proc/self/cgroup. Mounts that do not show our cgroup are left out.
/// Source: proc_pid_mountinfo(5), cgroups(7).
CgroupPlaces FindCgroupPlaces(std::string_view mountinfo, std::string_view cgroup);

}  // namespace writ::isolation

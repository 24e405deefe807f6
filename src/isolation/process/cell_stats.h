#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// Reads what a cell's control group counts, from files that the jail opened.
/// Sources: Linux Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/cpuacct.rst, cgroup-v1/memory.rst.
class CellStats {
 public:
  explicit CellStats(std::vector<std::pair<std::string, sys::UniqueFd>> files) : files_(std::move(files)) {}
  bool CountsCpu() const { return Find("v1.cpu") >= 0 || Find("v2.cpu") >= 0; }
  std::optional<Millis> CpuTime() const;              ///< user + system of all processes so far
  std::optional<std::uint64_t> MemoryPeak() const;    ///< bytes
  std::uint64_t OutOfMemoryKills() const;             ///< 0 also when nothing counts them

 private:
  int Find(std::string_view name) const;
  std::string Read(std::string_view name) const;
  std::vector<std::pair<std::string, sys::UniqueFd>> files_;
};

}  // namespace writ::isolation::process

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace writ::plane {

/// Counters since the start of the plane, by name: `runs.claimed`, `runs.completed.failed`, ... One thread.
class Metrics {
 public:
  void Add(std::string_view name, std::uint64_t count = 1) {
    const auto found = counters_.find(name);
    if (found != counters_.end()) {
      found->second += count;
    } else {
      counters_.emplace(name, count);
    }
  }
  const std::map<std::string, std::uint64_t, std::less<>>& all() const { return counters_; }  ///< sorted

 private:
  std::map<std::string, std::uint64_t, std::less<>> counters_;
};

}  // namespace writ::plane

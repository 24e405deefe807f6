#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace writ::plane {

/// Runs of a book by the time at which each ends. `Time`: MonoTime, or WallTime where the end was told to people.
template <class Time>
class EndTimes {
 public:
  void Add(Time end, std::string_view run_id) { ends_.emplace(end, run_id); }
  void Remove(Time end, const std::string& run_id) { ends_.erase({end, run_id}); }

  std::optional<Time> Next() const { return ends_.empty() ? std::nullopt : std::optional(ends_.begin()->first); }
  /// At most `limit`, the first one first.
  std::vector<std::string> EndedBy(Time now, std::size_t limit) const {
    std::vector<std::string> ids;
    for (const auto& [end, id] : ends_) {
      if (end > now || ids.size() == limit) break;
      ids.push_back(id);
    }
    return ids;
  }

 private:
  std::set<std::pair<Time, std::string>> ends_;
};

}  // namespace writ::plane

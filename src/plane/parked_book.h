#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "plane/end_times.h"

namespace writ::plane {

/// What is known of a run that waits for consent without reading it.
struct ParkedNote {
  std::string principal;   ///< who asked for it, as it was authenticated
  std::size_t bytes = 0;   ///< of its proposal
  WallTime ends{};         ///< when nobody can answer any more; WallTime::max(): it cannot be judged
};

/// The runs that wait for consent, in memory: how many and how large those of one principal are, and which end next. The
/// store has the same ones.
class ParkedBook {
 public:
  void Add(std::string_view run_id, ParkedNote note);
  std::optional<ParkedNote> Remove(std::string_view run_id);

  std::size_t size() const { return notes_.size(); }
  std::size_t CountOf(std::string_view principal) const;
  std::size_t BytesOf(std::string_view principal) const;
  std::size_t BytesOfRun(std::string_view run_id) const;
  std::optional<WallTime> NextEnd() const { return ends_.Next(); }
  std::vector<std::string> EndedBy(WallTime now, std::size_t limit) const { return ends_.EndedBy(now, limit); }

 private:
  struct Sum {
    std::size_t count = 0, bytes = 0;
  };
  std::map<std::string, ParkedNote, std::less<>> notes_;
  std::map<std::string, Sum, std::less<>> sums_;
  EndTimes<WallTime> ends_;
};

}  // namespace writ::plane

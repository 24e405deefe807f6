#pragma once

#include <algorithm>
#include <limits>

#include "base/clock.h"

namespace writ {

/// A point in monotonic time by which something must be done. Passed down, never recomputed on the way.
class Deadline {
 public:
  static Deadline After(Millis from_now) { return Deadline{std::chrono::steady_clock::now() + from_now}; }
  static Deadline At(MonoTime when) { return Deadline{when}; }
  static Deadline Never() { return Deadline{MonoTime::max()}; }

  bool never() const { return when_ == MonoTime::max(); }
  bool Passed() const { return !never() && std::chrono::steady_clock::now() >= when_; }
  MonoTime when() const { return when_; }
  Deadline Earlier(Deadline other) const { return Deadline{std::min(when_, other.when_)}; }

  /// Argument for poll(2): milliseconds left, rounded up, 0 when passed, -1 for never.
  int PollTimeoutMs() const {
    if (never()) return -1;
    const auto left = std::chrono::ceil<Millis>(when_ - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, std::numeric_limits<int>::max()));
  }

 private:
  explicit Deadline(MonoTime when) : when_(when) {}
  MonoTime when_;
};

}  // namespace writ

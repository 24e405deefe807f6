#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace writ {

using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Millis>;              ///< UTC; may jump
using MonoTime = std::chrono::steady_clock::time_point;      ///< CLOCK_MONOTONIC; never goes back

/// Where time comes from. Evidence carries wall time, limits use monotonic time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  virtual MonoTime Mono() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  WallTime Now() const override;
  MonoTime Mono() const override;
};

/// A clock that stands still until told otherwise; for tests. One thread tells it, any may look.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(WallTime now) : now_(now) {}
  WallTime Now() const override { return now_.load(); }
  MonoTime Mono() const override { return mono_.load(); }
  void Advance(Millis by) {
    now_.store(now_.load() + by);
    mono_.store(mono_.load() + by);
  }
  void SetWall(WallTime now) { now_.store(now); }  ///< a jump: monotonic time does not move

 private:
  std::atomic<WallTime> now_;
  std::atomic<MonoTime> mono_{MonoTime{}};
};

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`, the form that is hashed (docs/formats/evidence.md).
std::string FormatTimestamp(WallTime time);
/// Inverse of FormatTimestamp. Errors: kInvalid for any other form.
Result<WallTime> ParseTimestamp(std::string_view text);

}  // namespace writ

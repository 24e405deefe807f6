#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "isolation/backend.h"

namespace writ::api {

/// How the caller of LocalPlane::Run influences and watches it. Cancel and Resize only set atomics, so they may be
/// called from any thread and from a signal handler; the run looks at them at least every 50 ms. The hooks are
/// called on the thread that called Run.
class RunControl {
 public:
  virtual ~RunControl() = default;

  void Cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

  /// The terminal's new size. The last one before the run looks wins.
  void Resize(isolation::SessionSpec::Terminal size) noexcept {
    size_.store(kSizePending | std::uint64_t{size.rows} << 16 | size.columns, std::memory_order_relaxed);
  }
  /// The size that was set since the last call.
  std::optional<isolation::SessionSpec::Terminal> TakeSize() noexcept {
    const std::uint64_t size = size_.exchange(0, std::memory_order_relaxed);
    if (size == 0) return std::nullopt;
    return isolation::SessionSpec::Terminal{static_cast<std::uint16_t>(size >> 16),
                                            static_cast<std::uint16_t>(size)};
  }

  /// The run is parked, and whoever waits begins to; `why` says what is needed.
  virtual void OnParked(std::string_view /*run_id*/, std::string_view /*why*/) {}
  /// The contract is durable; nothing has been started.
  virtual void OnContract(std::string_view /*run_id*/) {}
  /// The guest is running; called at least every 50 ms.
  virtual void OnTick(Millis /*since_start*/) {}
  /// The guest's last process is dead; results are about to be collected.
  virtual void OnGuestEnd() {}

 private:
  static constexpr std::uint64_t kSizePending = std::uint64_t{1} << 32;
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "must be usable in a signal handler");
  std::atomic<bool> cancelled_{false};
  std::atomic<std::uint64_t> size_{0};
};

}  // namespace writ::api

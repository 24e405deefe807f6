#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace writ::egress {

/// What one run may use of the proxy. Every count must be at least 1.
struct EgressLimits {
  std::uint32_t connections_max = 4096;           ///< connections of the job open at once; one more is closed at accept
  std::optional<std::uint64_t> bytes_max;         ///< bytes to and from upstream together; then everything is cut
  std::optional<std::uint64_t> rate_bytes_per_s;  ///< bytes per second to and from upstream together
  std::uint32_t head_bytes_max = 64U << 10;       ///< a request head, or the first bytes that say what a tunnel is for
  Millis head_timeout{10'000};       ///< from the first moment to a complete head, or to knowing what a tunnel is for
  Millis connect_timeout{15'000};    ///< looking up and connecting
  Millis idle_timeout{600'000};      ///< nothing moved in either direction
  std::uint32_t names_max = 10'000;  ///< distinct refused names, and distinct hosts, that are kept apart in records
};

}  // namespace writ::egress

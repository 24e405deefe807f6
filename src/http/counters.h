#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace writ::http {

/// What the transport counts, since the start. One thread.
struct Counters {
  std::array<std::uint64_t, 6> answers{};  ///< by the first digit of the status
  std::uint64_t connections_taken = 0, connections_refused = 0;
  std::uint64_t connections_open = 0, connections_idle = 0, followers = 0;  ///< now
  std::uint64_t bytes_in = 0, bytes_out = 0;                               ///< of bodies
  std::uint64_t deadlines_passed = 0, messages_refused = 0;
  /// Requests by how long they took: at most 1 ms, 5 ms, 25 ms, 100 ms, 500 ms, 2.5 s, 10 s, and all.
  std::array<std::uint64_t, 8> durations{};
  double seconds_total = 0;

  void Finished(unsigned status, double seconds);
};

/// The Prometheus text format, version 0.0.4: `writ_http_*`.
std::string PrometheusText(const Counters& own);

}  // namespace writ::http

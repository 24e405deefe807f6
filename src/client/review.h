#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"

namespace writ::client {

/// What one attempt came to, from its verified bundle alone.
struct Scorecard {
  std::string run_id, status;
  std::optional<int> exit_code;       ///< of command.executed; absent when nothing was started
  std::uint64_t diff_bytes = 0;
  std::size_t files_changed = 0;
  std::int64_t duration_ms = 0;       ///< startedAt to endedAt of the receipt
  std::string ended_at;
  std::size_t events = 0;
  std::size_t egress_blocked = 0;     ///< attempts
  std::vector<std::string> secrets_released;
  bool verified = false;              ///< the bundle holds and the plane's key is trusted
  std::string problem;                ///< why there is nothing to compare, or the bundle's first problem
};

/// Reads a card from a bundle. `verified` and `diff_bytes` are the caller's to fill in. Never fails: what is not there
/// counts as nothing.
Scorecard CardOf(const canon::Json& bundle);
canon::Json ToJson(const Scorecard& card);

enum class Strategy : std::uint8_t { kSmallestDiff, kFirstCompleted, kTestsPassSmallestDiff };
/// "smallest-diff", "first-completed", "tests-pass-smallest-diff"
std::optional<Strategy> ParseStrategy(std::string_view word);

/// The best attempt, or nothing when there is none to take: only attempts whose bundle was verified and that were not
/// cancelled count. Equal ones: the one that ended first, then the smaller run id, so that the answer never depends on
/// the order of the cards.
///   smallest-diff: least bytes of diff; first-completed: status completed, ended first;
///   tests-pass-smallest-diff: exit code 0 before all others, then least bytes.
std::optional<std::size_t> Best(Strategy strategy, std::span<const Scorecard> cards);

}  // namespace writ::client

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"
#include "plane/core.h"
#include "plane/refusal.h"

namespace writ::plane {

inline constexpr std::size_t kBatchMax = 100000;             ///< entries of one post
inline constexpr std::uint64_t kEventsPerRunMax = 4000000;
inline constexpr std::size_t kEntryBytesMax = 256 << 10;     ///< text of one entry
inline constexpr std::size_t kRememberedMax = 100000;        ///< entries of a run that its receipt repeats
inline constexpr std::size_t kRunBytesMax = 1u << 30;          ///< text of all entries of a run
inline constexpr std::size_t kRememberedBytesMax = 32u << 20;  ///< text of those that its receipt repeats

/// Entries of a post, checked as far as no state is needed, so that any thread can do it. Moving keeps what it borrows
/// from itself.
struct EventBatch {
  EventBatch() = default;
  EventBatch(EventBatch&&) = default;
  EventBatch& operator=(EventBatch&&) = default;

  std::vector<BatchEntry> entries;
  std::vector<std::string> issues;  ///< not empty: the post is refused, and nothing else is valid

  /// What entries borrow that were read as values.
  struct Kept {
    canon::Json json;
    std::string text, hash;
  };
  std::deque<Kept> kept;
};
/// Reads the member `events` of a body: an array of chain entries of types that a runner may write. It is moved from.
EventBatch ReadEventBatch(canon::Json* events);
/// Adds one entry. Returns what is wrong with it, or nothing.
std::string AddEntry(EventBatch& batch, canon::Json entry);

/// Adds what is new in a batch to a run's chain. Entries that are there already and equal are skipped, so a post can be
/// repeated. Costs the same whatever the chain's length.
/// Refusals: 400 `event chain rejected at seq N: REASON`; 409 `run ID is S; its events are complete`.
Answer<> TakeEvents(Core& core, Change& change, KeptRun& run, const EventBatch& batch);

/// 409 `run ID is S; its events are complete` for a run that has ended.
Answer<> CheckTakesEvents(const KeptRun& run);

}  // namespace writ::plane

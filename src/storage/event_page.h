#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "storage/plane_tables.h"

namespace writ::storage {

/// The value of the first top-level member `ts` of a JSON object, when it is a string without escapes; "" otherwise.
/// Reads no further than it must and accepts any bytes: the layer above has checked the event. A view into `text`.
std::string_view EventTimestamp(std::string_view text);

/// Collects one page for PlaneReads::EventsAfter, so that all stores end a page at the same place.
class EventPageBuilder {
 public:
  EventPageBuilder(std::string_view since, std::size_t limit);

  /// True when the page has all it may have.
  bool Full() const { return page_.events.size() >= limit_ || looked_at_ >= looks_max_; }
  /// True when no event of a run can be wanted whose newest `ts` is this.
  bool Passes(std::string_view newest_ts) const { return newest_ts < since_; }
  /// Counts a run; takes an event if it is wanted. Precondition: not Full.
  void LookAtRun() { ++looked_at_; }
  void Offer(std::string_view run_id, std::uint64_t seq, std::string text);

  std::size_t looks_left() const { return looks_max_ - looked_at_; }
  EventPage Done() && { return std::move(page_); }
  EventPage More(EventCursor next) && {
    page_.next = std::move(next);
    return std::move(page_);
  }

 private:
  std::string_view since_;
  std::size_t limit_, looks_max_, looked_at_ = 0;
  EventPage page_;
};

}  // namespace writ::storage

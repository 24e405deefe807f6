#pragma once

#include <string>

#include "canon/json.h"

namespace writ::contract {

/// The receipt story of user interfaces: what moved, why, who approved, what saw it, how to reproduce
/// (docs/formats/evidence.md). Members that cannot be read are empty. Texts are as the bundle has them: escape them.
canon::Json ReceiptStory(const canon::Json& contract, const canon::Json& receipt);

/// One line about an event.
struct EventSummary {
  std::string tone;    ///< "info", "ok", "warn", "err" or "plain"
  std::string label;   ///< the event's type
  std::string detail;
  bool operator==(const EventSummary&) const = default;
};
/// Of the `event` member of a chained event; also for types that are not known. Escape before showing.
EventSummary Summarise(const canon::Json& event);

}  // namespace writ::contract

#pragma once

#include <optional>
#include <string_view>

#include "plane/event_intake.h"

namespace writ::plane {

/// A post of events in the form in which runners write them, `{"claimToken":"...","events":[...]}` without spaces, read
/// in one pass over its text: what every event needs is taken, checked and hashed where it stands, and values are only
/// made of events whose content the plane remembers. It accepts less than ReadEventBatch and never anything else: what is
/// read here would be read there with the same result.
/// nullopt: it is not in that form, or there is something wrong with it; ReadEventBatch says what.
struct PlainPost {
  std::string_view claim_token;
  EventBatch batch;
};
/// The result borrows `body`.
std::optional<PlainPost> ReadPlainPost(std::string_view body);

}  // namespace writ::plane

#pragma once

#include <optional>
#include <string>

#include "canon/json.h"

namespace writ::plane {

/// What is wrong with an event that a runner posts: a type that only the plane writes, or that nobody knows; a member
/// that is missing or malformed. "member: text", or "" when it is fine. Unknown members are kept: they are hashed.
std::string EventProblem(const canon::Json& event);

/// Whether a run's facts keep something of an event of this type for each one of them.
bool IsRemembered(std::string_view type);

}  // namespace writ::plane

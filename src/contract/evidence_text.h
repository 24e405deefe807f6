#pragma once

#include <string>
#include <string_view>

#include "canon/json.h"

namespace writ::contract {

/// The text member `name` of a part of evidence; empty when the part or the member is absent or no text. It points into
/// `object`.
inline std::string_view TextOf(const canon::Json* object, std::string_view name) {
  const std::string* text = object == nullptr ? nullptr : object->FindString(name);
  return text == nullptr ? std::string_view() : std::string_view(*text);
}
inline std::string_view TextOf(const canon::Json& object, std::string_view name) { return TextOf(&object, name); }

/// What people are shown of a digest.
inline std::string_view ShortHash(std::string_view hash) { return hash.substr(0, 12); }

}  // namespace writ::contract

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"

namespace writ::api {

/// The text member `name`; empty when it is absent or no text.
std::string TextOf(const canon::Json& object, std::string_view name);

/// An array of words that may hold paths that are not UTF-8: each as workspace::ToWirePath writes it.
canon::Json WireTexts(const std::vector<std::string>& words);

}  // namespace writ::api

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/local_plane.h"
#include "base/error.h"
#include "canon/json.h"

namespace writ::cli {

/// {"bytes", "encoding": "utf-8" or "base64", "data", "cut"?: true}: bytes as JSON carries them, as text if they are
/// UTF-8 without control characters other than tab, newline, carriage return and escape. `cut`: `data` has only the
/// first of them.
canon::Json ContentJson(std::string_view data, std::uint64_t bytes);

/// The same for a kept stream or diff of a run; at most `bytes_max` are put into the object.
Result<canon::Json> KeptContentJson(api::LocalPlane& plane, std::string_view run, std::string_view kind, std::size_t bytes_max);

/// A list of texts.
canon::Json TextArray(const std::vector<std::string>& texts);

}  // namespace writ::cli

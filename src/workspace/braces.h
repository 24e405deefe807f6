#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace writ::workspace {

/// What a shell makes of `{a,b}` and `{1..3}` in a word; `{a}`, `{}`, `${x}` and unclosed braces stay as they are.
/// Backslashes stay, with what they protect. Errors: kInvalid for more than `max` results.
Result<std::vector<std::string>> ExpandBraces(std::string_view pattern, std::size_t max);

}  // namespace writ::workspace

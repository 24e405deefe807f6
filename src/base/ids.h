#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace writ {

/// Fills with bytes from getrandom(2); aborts if the kernel cannot provide them.
void FillRandom(std::span<std::uint8_t> out);

/// prefix + random UUID v4, lower case with hyphens: MakeId("run_").
std::string MakeId(std::string_view prefix);

}  // namespace writ

#pragma once

#include <string_view>

namespace writ {

/// Version of every program of this tree; receipts name it. Equal to the project's version in CMakeLists.txt.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace writ

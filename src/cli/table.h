#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace writ::cli {

inline constexpr std::size_t kTextColumns = 300;  ///< of one text in reports, at most

/// Rows of text with aligned columns, two spaces apart. Cells must be safe to print; the last column is cut with an
/// ellipsis where a row would exceed `columns`.
std::string RenderTable(const std::vector<std::vector<std::string>>& rows, std::size_t columns);

/// How a run is named in text: the first eight digits of its id, which all commands accept.
std::string ShortRunId(std::string_view run_id);

/// "2026-11-22 14:41:14" from a timestamp of the wire; escaped if it is none.
std::string ShowTime(std::string_view timestamp);

/// Code points, as a terminal shows an escaped text.
std::size_t Width(std::string_view text);

}  // namespace writ::cli

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace writ::workspace {

/// Replace old lines [old_begin, old_end) by new lines [new_begin, new_end). Lines are counted from 0.
struct LineEdit {
  std::size_t old_begin = 0, old_end = 0, new_begin = 0, new_end = 0;
  bool operator==(const LineEdit&) const = default;
};

/// Lines with their line ends; the last may have none.
std::vector<std::string_view> SplitLines(std::string_view text);

/// Edits that turn the old lines into the new ones, in order, with at least one common line between two of them.
/// Shortest while at most `steps_max` comparisons are needed; beyond, what is left is replaced as a whole. Memory is
/// proportional to the number of lines.
/// Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), section 4b.
std::vector<LineEdit> DiffLines(const std::vector<std::string_view>& old_lines,
                                const std::vector<std::string_view>& new_lines,
                                std::uint64_t steps_max = 50'000'000);

}  // namespace writ::workspace

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace writ {

/// Whether a code point must not reach a terminal, a log line or a page as it is: control characters, line and
/// paragraph separators, bidirectional controls, zero-width and other invisible characters, variation selectors,
/// the tag block. Text that a reader cannot see is how approvals and logs are forged.
bool IsHiddenCodePoint(char32_t code);

/// The text with hidden code points written as `\u{1b}`, bytes that are not UTF-8 as `\x{ff}` and `\` as `\\`, so
/// that two different texts never look alike because of characters that do not show. One line for any input.
std::string EscapeVisible(std::string_view text);

/// EscapeVisible cut to at most `columns_max` code points, the last one being U+2026 when something was cut.
std::string EscapeVisible(std::string_view text, std::size_t columns_max);

}  // namespace writ

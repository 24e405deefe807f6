#include "base/escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"

namespace writ {
namespace {

struct Range {
  char32_t first, last;
};

/// Sorted. General categories Cc, Cf, Zl, Zp of Unicode 15, and what is blank or default-ignorable besides.
constexpr Range kHidden[] = {
    {0x0000, 0x001F},    // C0 controls, ESC among them
    {0x007F, 0x009F},    // DEL and C1 controls
    {0x00AD, 0x00AD},    // soft hyphen
    {0x034F, 0x034F},    // combining grapheme joiner
    {0x0600, 0x0605},    // Arabic number signs (format)
    {0x061C, 0x061C},    // Arabic letter mark (bidi)
    {0x06DD, 0x06DD},    // Arabic end of ayah (format)
    {0x070F, 0x070F},    // Syriac abbreviation mark
    {0x0890, 0x0891},    // Arabic pound and piastre marks
    {0x08E2, 0x08E2},    // Arabic disputed end of ayah
    {0x115F, 0x1160},    // Hangul fillers
    {0x17B4, 0x17B5},    // Khmer inherent vowels
    {0x180B, 0x180F},    // Mongolian selectors and vowel separator
    {0x200B, 0x200F},    // zero width, left-to-right and right-to-left marks
    {0x2028, 0x202E},    // line and paragraph separators, bidi embeddings and overrides
    {0x2060, 0x206F},    // word joiner, invisible operators, bidi isolates
    {0x2800, 0x2800},    // Braille blank
    {0x3164, 0x3164},    // Hangul filler
    {0xD800, 0xDFFF},    // surrogates
    {0xFE00, 0xFE0F},    // variation selectors
    {0xFEFF, 0xFEFF},    // zero width no-break space
    {0xFFA0, 0xFFA0},    // halfwidth Hangul filler
    {0xFFF0, 0xFFFB},    // unassigned specials, interlinear annotation
    {0xFFFE, 0xFFFF},    // noncharacters
    {0x110BD, 0x110BD},  // Kaithi number sign
    {0x110CD, 0x110CD},  // Kaithi number sign above
    {0x13430, 0x1343F},  // Egyptian hieroglyph format controls
    {0x1BCA0, 0x1BCA3},  // shorthand format controls
    {0x1D173, 0x1D17A},  // musical format controls
    {0xE0000, 0xE0FFF},  // tags and variation selectors supplement
};

/// Calls `put(piece)` for each visible piece, one column each except escapes, which are plain ASCII.
template <class Put>
void ForEachVisible(std::string_view text, Put put) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    if (!step.valid) {
      std::string escaped;
      for (std::size_t i = 0; i < step.bytes; ++i) {
        fmt::format_to(std::back_inserter(escaped), "\\x{{{:02x}}}", static_cast<unsigned char>(text[at + i]));
      }
      if (!put(escaped, escaped.size())) return;
    } else if (step.code == '\\') {
      if (!put(std::string_view("\\\\"), 2)) return;
    } else if (IsHiddenCodePoint(step.code)) {
      const std::string escaped = fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(step.code));
      if (!put(escaped, escaped.size())) return;
    } else if (!put(text.substr(at, step.bytes), 1)) {
      return;
    }
    at += step.bytes;
  }
}

/// Most text: nothing in it is changed.
bool IsPlain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
}

}  // namespace

bool IsHiddenCodePoint(char32_t code) {
  const auto* range = std::ranges::lower_bound(kHidden, code, {}, &Range::last);
  return range != std::end(kHidden) && code >= range->first;
}

std::string EscapeVisible(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  ForEachVisible(text, [&](std::string_view piece, std::size_t) { return out.append(piece), true; });
  return out;
}

std::string EscapeVisible(std::string_view text, std::size_t columns_max) {
  if (columns_max == 0) return {};
  if (text.size() <= columns_max && IsPlain(text)) return std::string(text);
  std::string out;
  std::size_t columns = 0;    // of `out`
  std::size_t room_bytes = 0;  // prefix of `out` that leaves one column for the mark
  bool cut = false;
  ForEachVisible(text, [&](std::string_view piece, std::size_t width) {
    if (columns + width > columns_max) return cut = true, false;
    out.append(piece);
    columns += width;
    if (columns < columns_max) room_bytes = out.size();
    return true;
  });
  if (cut) {
    out.resize(room_bytes);
    out += "\xE2\x80\xA6";
  }
  return out;
}

}  // namespace writ

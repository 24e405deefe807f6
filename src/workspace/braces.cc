#include "workspace/braces.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

namespace writ::workspace {
namespace {

using Strings = std::vector<std::string>;

/// Position of the brace that closes the one at `open`; npos when there is none.
std::size_t ClosingBrace(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i;
    }
  }
  return text.npos;
}

/// The parts between the commas of the outermost level.
std::vector<std::string_view> SplitAtCommas(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    else if (text[i] == '{') ++depth;
    else if (text[i] == '}') --depth;
    else if (text[i] == ',' && depth == 0) parts.push_back(text.substr(start, i - start)), start = i + 1;
  }
  parts.push_back(text.substr(start));
  return parts;
}

std::optional<long> Integer(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 9 || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsPadded(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0';
}

std::unexpected<Error> TooMany(std::size_t max) {
  return Fail(Code::kInvalid, "its braces stand for more than {} patterns", max);
}

/// `1..3`, `01..10..3`, `a..e`; nothing when it is no sequence.
Result<std::optional<Strings>> Sequence(std::string_view text, std::size_t max) {
  const std::size_t first_dots = text.find("..");
  if (first_dots == text.npos) return std::nullopt;
  const std::string_view from = text.substr(0, first_dots);
  std::string_view to = text.substr(first_dots + 2);
  long step = 1;
  if (const std::size_t dots = to.find(".."); dots != to.npos) {
    const auto given = Integer(to.substr(dots + 2));
    if (!given) return std::nullopt;
    step = std::max(std::labs(*given), 1l);
    to = to.substr(0, dots);
  }
  const auto is_letter = [](std::string_view s) {
    return s.size() == 1 && ((s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z'));
  };
  const bool letters = is_letter(from) && is_letter(to);
  const auto low = letters ? std::optional<long>(from[0]) : Integer(from);
  const auto high = letters ? std::optional<long>(to[0]) : Integer(to);
  if (!low || !high) return std::nullopt;
  const std::size_t width = !letters && (IsPadded(from) || IsPadded(to)) ? std::max(from.size(), to.size()) : 0;
  if (static_cast<std::size_t>(std::labs(*high - *low) / step) >= max) return TooMany(max);
  Strings words;
  for (long value = *low; *low <= *high ? value <= *high : value >= *high; value += *low <= *high ? step : -step) {
    if (!letters) words.push_back(fmt::format("{:0{}d}", value, width));
    // A range across the two cases passes a backslash, which must not protect what follows.
    else words.push_back(value == '\\' ? std::string() : std::string(1, static_cast<char>(value)));
  }
  return words;
}

}  // namespace

Result<Strings> ExpandBraces(std::string_view pattern, std::size_t max) {
  for (std::size_t open = 0; open < pattern.size(); ++open) {
    if (pattern[open] == '\\') {
      ++open;
      continue;
    }
    if (pattern[open] != '{') continue;
    const std::size_t close = ClosingBrace(pattern, open);
    if (close == pattern.npos) continue;
    const std::string_view inside = pattern.substr(open + 1, close - open - 1);
    const bool variable = open > 0 && pattern[open - 1] == '$';
    std::optional<Strings> words;
    if (!variable) words = WRIT_TRY("sequence", Sequence(inside, max));
    const auto parts = SplitAtCommas(inside);
    if (!variable && !words && parts.size() > 1) {
      words.emplace();
      for (const std::string_view part : parts) {
        for (std::string& word : WRIT_TRY("braces", ExpandBraces(part, max))) words->push_back(std::move(word));
        if (words->size() > max) return TooMany(max);
      }
    }
    if (!words) continue;  // `{a}` stays, what is inside is looked at next
    const Strings tails = WRIT_TRY("braces", ExpandBraces(pattern.substr(close + 1), max));
    if (words->size() * tails.size() > max) return TooMany(max);
    Strings all;
    for (const std::string& word : *words) {
      for (const std::string& tail : tails) all.push_back(fmt::format("{}{}{}", pattern.substr(0, open), word, tail));
    }
    return all;
  }
  return Strings{std::string(pattern)};
}

}  // namespace writ::workspace

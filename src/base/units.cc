#include "base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace writ {
namespace {

constexpr std::uint64_t kSizeMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kDurationMaxMs = 10'000ll * 3'600'000;
constexpr std::size_t kTextMax = 32;  // no legal value is longer

/// The text as a message may show it: cut, and without bytes that could move a terminal's cursor.
std::string Shown(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kTextMax)) shown += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > kTextMax) shown += "...";
  return shown;
}

/// Takes leading decimal digits off `text`; nothing when there are none or the value does not fit.
std::optional<std::uint64_t> TakeDigits(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// Shift of a binary suffix, consumed from `text`; nothing when what follows is not one.
std::optional<unsigned> TakeBinarySuffix(std::string_view& text) {
  if (text.empty()) return 0;
  unsigned shift = 0;
  switch (text.front()) {
    case 'k': case 'K': shift = 10; break;
    case 'm': case 'M': shift = 20; break;
    case 'g': case 'G': shift = 30; break;
    case 't': case 'T': shift = 40; break;
    default: return std::nullopt;
  }
  text.remove_prefix(1);
  if (text == "iB") text = {};
  return shift;
}

Result<std::uint64_t> ParseScaled(std::string_view text, std::uint64_t max, std::string_view wanted) {
  std::string_view rest = text;
  const bool starts_well = !rest.empty() && rest.front() >= '0' && rest.front() <= '9';
  const auto value = starts_well ? TakeDigits(rest) : std::nullopt;
  if (starts_well && !value) return Fail(Code::kInvalid, "`{}` is too large, the most is {}", Shown(text), max);
  const auto shift = value ? TakeBinarySuffix(rest) : std::nullopt;
  if (!value || !shift || !rest.empty()) return Fail(Code::kInvalid, "`{}` is not {}", Shown(text), wanted);
  if (*value == 0) return Fail(Code::kInvalid, "`{}` is refused: a limit is at least 1, zero never means unlimited", Shown(text));
  if (*value > max >> *shift) return Fail(Code::kInvalid, "`{}` is too large, the most is {}", Shown(text), max);
  return *value << *shift;
}

struct TimeUnit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<TimeUnit, 4> kTimeUnits{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

}  // namespace

Result<std::uint64_t> ParseSize(std::string_view text) {
  return ParseScaled(text, kSizeMax, "a size: digits and K, M, G or T, for example 64M");
}

Result<std::uint64_t> ParseCount(std::string_view text, std::uint64_t max) {
  return ParseScaled(text, max, "a count: a whole number, for example 256");
}

Result<Millis> ParseDuration(std::string_view text) {
  const auto wrong = [&] {
    return Fail(Code::kInvalid, "`{}` is not a time span: digits and h, m, s or ms, for example 90s or 1m30s", Shown(text));
  };
  const auto too_long = [&] { return Fail(Code::kInvalid, "`{}` is too long, the most is 10000h", Shown(text)); };
  std::string_view rest = text;
  std::int64_t total = 0;
  std::size_t unit = 0;  // units used so far; each next one must be smaller
  if (rest.empty()) return wrong();
  while (!rest.empty()) {
    if (rest.front() < '0' || rest.front() > '9') return wrong();
    const auto value = TakeDigits(rest);
    if (!value) return too_long();
    const auto name_length = std::min(rest.find_first_of("0123456789"), rest.size());
    auto name = rest.substr(0, name_length);
    rest.remove_prefix(name_length);
    if (name.empty() && total == 0 && unit == 0) name = "s";
    while (unit < kTimeUnits.size() && kTimeUnits[unit].name != name) ++unit;
    if (unit == kTimeUnits.size()) return wrong();
    if (*value > static_cast<std::uint64_t>(kDurationMaxMs / kTimeUnits[unit].ms)) return too_long();
    total += static_cast<std::int64_t>(*value) * kTimeUnits[unit].ms;
    if (total > kDurationMaxMs) return too_long();
    ++unit;
  }
  if (total == 0) return Fail(Code::kInvalid, "`{}` is refused: a time limit is at least 1ms, zero never means unlimited", Shown(text));
  return Millis{total};
}

Result<std::uint32_t> ParseCores(std::string_view text) {
  constexpr std::uint64_t kCoresMax = 4096;
  const auto wrong = [&] {
    return Fail(Code::kInvalid, "`{}` is not a number of cores: for example 2 or 0.5, the most is {}", Shown(text), kCoresMax);
  };
  std::string_view rest = text;
  if (rest.empty() || rest.front() < '0' || rest.front() > '9') return wrong();
  const auto whole = TakeDigits(rest);
  if (!whole || *whole > kCoresMax) return wrong();
  std::uint64_t thousandths = *whole * 1000;
  if (!rest.empty()) {
    if (rest.front() != '.' || rest.size() < 2 || rest.size() > 4) return wrong();
    std::uint64_t scale = 100;
    for (const char c : rest.substr(1)) {
      if (c < '0' || c > '9') return wrong();
      thousandths += static_cast<std::uint64_t>(c - '0') * scale;
      scale /= 10;
    }
  }
  if (thousandths == 0) return Fail(Code::kInvalid, "`{}` is refused: at least 0.001 cores, zero never means unlimited", Shown(text));
  if (thousandths > kCoresMax * 1000) return wrong();
  return static_cast<std::uint32_t>(thousandths);
}

std::string FormatSize(std::uint64_t bytes) {
  constexpr std::string_view kSuffixes = "TGMK";
  unsigned shift = 40;
  for (const char suffix : kSuffixes) {
    const std::uint64_t unit = 1ull << shift;
    if (bytes >= unit) {
      if (bytes % unit == 0) return fmt::format("{}{}", bytes >> shift, suffix);
      return fmt::format("{:.1f}{}", static_cast<double>(bytes) / static_cast<double>(unit), suffix);
    }
    shift -= 10;
  }
  return fmt::format("{}", bytes);
}

std::string FormatDuration(Millis span) {
  std::int64_t left = span.count();
  std::string text;
  for (const auto& unit : kTimeUnits) {
    if (left >= unit.ms) {
      text += fmt::format("{}{}", left / unit.ms, unit.name);
      left %= unit.ms;
    }
  }
  return text.empty() ? "0s" : text;
}

std::string FormatCores(std::uint32_t thousandths) {
  std::string text = fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace writ

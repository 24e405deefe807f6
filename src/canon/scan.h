#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace writ::canon {

/// Offset, from `at` on, of the first byte that is a quote, a backslash, a control character below 0x20 or not ASCII;
/// text.size() if there is none. Reader and writers copy everything before it unseen, eight bytes at a time.
inline std::size_t FirstSpecial(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  // A byte of (w - n*kOnes) & ~w has its high bit set where the byte of w is below n (exact for the lowest such byte).
  const auto has_zero = [](std::uint64_t w) { return (w - kOnes) & ~w; };
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    const std::uint64_t control = (word - kOnes * 0x20) & ~word;
    const std::uint64_t special =
        (control | has_zero(word ^ kOnes * '"') | has_zero(word ^ kOnes * '\\') | word) & kHighs;
    if (special != 0) {
      if constexpr (std::endian::native == std::endian::little) {
        return at + static_cast<std::size_t>(std::countr_zero(special)) / 8;
      } else {
        break;  // borrows may mark bytes after the first; look at them one by one
      }
    }
  }
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80) break;
  }
  return at;
}

}  // namespace writ::canon

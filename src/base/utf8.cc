#include "base/utf8.h"

#include <algorithm>
#include <cstdint>

namespace writ {
namespace {

bool IsContinuation(unsigned char c) { return (c & 0xC0) == 0x80; }

/// WTF-8 keeps a surrogate as the three bytes ED A0..BF 80..BF.
bool IsSurrogateAt(std::string_view text, std::size_t at) {
  return at + 2 < text.size() && static_cast<unsigned char>(text[at]) == 0xED &&
         static_cast<unsigned char>(text[at + 1]) >= 0xA0 && static_cast<unsigned char>(text[at + 1]) <= 0xBF &&
         IsContinuation(static_cast<unsigned char>(text[at + 2]));
}

bool IsEcmaSpace(char32_t code) {
  switch (code) {
    case 0x09: case 0x0A: case 0x0B: case 0x0C: case 0x0D: case 0x20: case 0xA0: case 0x1680: case 0x2028:
    case 0x2029: case 0x202F: case 0x205F: case 0x3000: case 0xFEFF:
      return true;
    default:
      return code >= 0x2000 && code <= 0x200A;
  }
}

}  // namespace

Utf8Step DecodeUtf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  std::size_t more = 0;
  char32_t code = 0;
  unsigned char low = 0x80, high = 0xBF;  // range of the first continuation byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    more = 1, code = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    more = 2, code = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    more = 3, code = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {};
  }
  for (std::size_t i = 1; i <= more; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {0xFFFD, i, false};
    low = 0x80, high = 0xBF;
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  return {code, more + 1, true};
}

void AppendUtf8(std::string& out, char32_t code) {
  const auto put = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  }
}

bool IsUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    if (!step.valid) return false;
    at += step.bytes;
  }
  return true;
}

std::string ToValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    AppendUtf8(out, step.code);
    at += step.bytes;
  }
  return out;
}

std::size_t Utf16Length(std::string_view text) {
  std::size_t units = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (IsSurrogateAt(text, at)) {
      at += 3, ++units;
      continue;
    }
    const Utf8Step step = DecodeUtf8(text, at);
    units += step.code >= 0x10000 ? 2 : 1;
    at += step.bytes;
  }
  return units;
}

std::string_view TrimSpace(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = DecodeUtf8(text, 0);
    if (!step.valid || !IsEcmaSpace(step.code)) break;
    text.remove_prefix(step.bytes);
  }
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 && IsContinuation(static_cast<unsigned char>(text[start]))) --start;
    const Utf8Step step = DecodeUtf8(text, start);
    if (!step.valid || start + step.bytes != text.size() || !IsEcmaSpace(step.code)) break;
    text.remove_suffix(step.bytes);
  }
  return text;
}

}  // namespace writ

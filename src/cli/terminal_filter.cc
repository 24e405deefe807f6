#include "cli/terminal_filter.h"


#include "base/error.h"
#include "base/escape.h"
#include "base/utf8.h"

namespace writ::cli {
namespace {

constexpr std::size_t kHeldMax = 64;  // longer than any sensible colour sequence

bool IsPlain(char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\t'; }

enum class Sgr : unsigned char { kNone, kIncomplete, kAllowed };

/// Whether parameters (between `ESC [` and `m`) only choose colours and weights. 8 conceals text.
bool ConcealsNothing(std::string_view parameters) {
  std::size_t to_skip = 0;  // arguments of an extended colour
  bool wants_kind = false;  // the number after 38, 48 or 58
  while (true) {
    const auto end = parameters.find(';');
    const std::string_view group = parameters.substr(0, end);
    if (wants_kind) {
      to_skip = group == "2" ? 3 : group == "5" ? 1 : 0;
      wants_kind = false;
    } else if (to_skip > 0) {
      --to_skip;
    } else {
      const std::string_view number = group.substr(0, group.find(':'));
      auto value = number;
      while (value.size() > 1 && value[0] == '0') value.remove_prefix(1);
      if (value == "8") return false;
      wants_kind = group.size() == number.size() && (value == "38" || value == "48" || value == "58");
    }
    if (end == std::string_view::npos) return true;
    parameters.remove_prefix(end + 1);
  }
}

/// Judges the text that starts with ESC; `length` is that of the sequence when it is allowed.
Sgr ReadSgr(std::string_view text, std::size_t& length) {
  if (text.size() < 2) return Sgr::kIncomplete;
  if (text[1] != '[') return Sgr::kNone;
  for (std::size_t i = 2; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= '0' && c <= '9') || c == ';' || c == ':') {
      if (i >= kHeldMax) return Sgr::kNone;
      continue;
    }
    if (c != 'm' || !ConcealsNothing(text.substr(2, i - 2))) return Sgr::kNone;
    length = i + 1;
    return Sgr::kAllowed;
  }
  return Sgr::kIncomplete;
}

/// Whether a sequence cut off by the end of `text` may still become valid UTF-8.
bool MayContinue(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t wanted = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  if (lead > 0xF4 || text.size() >= wanted) return false;
  for (const char c : text.substr(1)) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) return false;
  }
  return true;
}

bool IsHarmlessOnScreen(char32_t code) {
  const bool joiner = code == 0x200C || code == 0x200D;
  const bool variation = code == 0xFE0E || code == 0xFE0F;
  return joiner || variation || !IsHiddenCodePoint(code);
}

void AppendByte(std::string& out, char byte) {
  out += fmt::format("\\x{{{:02x}}}", static_cast<unsigned char>(byte));
}

}  // namespace

void TerminalFilter::Append(std::string_view bytes, std::string& out) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_) + std::string(bytes);
    held_.clear();
    bytes = joined;
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::size_t plain = at;
    while (plain < bytes.size() && IsPlain(bytes[plain])) ++plain;
    out += bytes.substr(at, plain - at);
    at = plain;
    if (at == bytes.size()) return;
    const char c = bytes[at];
    const std::string_view rest = bytes.substr(at);
    if (c == '\r') {
      out += c;
      ++at;
    } else if (c == '\x1b') {
      std::size_t length = 0;
      switch (ReadSgr(rest, length)) {
        case Sgr::kIncomplete:
          held_ = rest;
          return;
        case Sgr::kAllowed:
          out += rest.substr(0, length);
          coloured_ = rest.substr(0, length) != "\x1b[0m" && rest.substr(0, length) != "\x1b[m";
          at += length;
          break;
        case Sgr::kNone:
          out += "\\u{1b}";
          ++at;
      }
    } else {
      const Utf8Step step = DecodeUtf8(bytes, at);
      if (!step.valid && MayContinue(rest)) {
        held_ = rest;
        return;
      }
      if (!step.valid) {
        for (std::size_t i = 0; i < step.bytes; ++i) AppendByte(out, bytes[at + i]);
      } else if (IsHarmlessOnScreen(step.code)) {
        out += bytes.substr(at, step.bytes);
      } else {
        out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(step.code));
      }
      at += step.bytes;
    }
  }
}

void TerminalFilter::Finish(std::string& out) {
  for (const char c : held_) {
    if (IsPlain(c)) {
      out += c;
    } else if (c == '\x1b') {
      out += "\\u{1b}";
    } else {
      AppendByte(out, c);
    }
  }
  held_.clear();
  if (coloured_) out += "\x1b[0m";
  coloured_ = false;
}

std::string SafeForTerminal(std::string_view text) {
  TerminalFilter filter;
  std::string out;
  filter.Append(text, out);
  filter.Finish(out);
  return out;
}

}  // namespace writ::cli

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/escape.h"
#include "base/utf8.h"
#include "canon/json.h"
#include "canon/number.h"
#include "canon/scan.h"

namespace writ::canon {
namespace {

void AppendUnit(std::string& out, std::uint32_t unit) { fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit); }

void AppendEscaped(std::string& out, char32_t code) {
  switch (code) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\t': out += "\\t"; return;
    case '\n': out += "\\n"; return;
    case '\f': out += "\\f"; return;
    case '\r': out += "\\r"; return;
    default: break;
  }
  if (code >= 0x10000) {
    AppendUnit(out, 0xD800 + ((code - 0x10000) >> 10));
    AppendUnit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
  } else {
    AppendUnit(out, code);
  }
}

void AppendString(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t special = FirstSpecial(text, at);
    // DEL is ASCII and yet hidden, so plain runs are searched for it.
    for (std::size_t from = at; from < special;) {
      const std::size_t del = std::min(text.find('\x7f', from), special);
      out.append(text, from, del - from);
      if (del < special) AppendEscaped(out, 0x7F);
      from = del + 1;
    }
    if (special >= text.size()) break;
    at = special;
    const Utf8Step step = DecodeUtf8(text, at);
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
    if (!step.valid && byte(at) == 0xED && (byte(at + 1) & 0xE0) == 0xA0 && (byte(at + 2) & 0xC0) == 0x80) {
      AppendEscaped(out, 0xD000u | (byte(at + 1) & 0x3Fu) << 6 | (byte(at + 2) & 0x3Fu));  // a WTF-8 surrogate
      at += 3;
      continue;
    }
    if (step.code == '"' || step.code == '\\' || IsHiddenCodePoint(step.code)) {
      AppendEscaped(out, step.code);
    } else {
      AppendUtf8(out, step.code);
    }
    at += step.bytes;
  }
  out += '"';
}

class TextWriter {
 public:
  explicit TextWriter(bool pretty) : pretty_(pretty) {}

  void Value(const Json& value) {
    if (value.is_string()) {
      AppendString(out_, value.string());
    } else if (value.is_number()) {
      if (std::isfinite(value.number())) {
        AppendNumber(out_, value.number());
      } else {
        out_ += "null";
      }
    } else if (value.is_bool()) {
      out_ += value.boolean() ? "true" : "false";
    } else if (value.is_null()) {
      out_ += "null";
    } else if (value.is_array()) {
      List('[', ']', value.array(), [this](const Json& item) { Value(item); });
    } else {
      List('{', '}', value.object(), [this](const Json::Member& member) {
        AppendString(out_, member.first);
        out_ += pretty_ ? ": " : ":";
        Value(member.second);
      });
    }
  }
  std::string Take() && { return std::move(out_); }

 private:
  template <class Items, class Write>
  void List(char open, char close, const Items& items, Write write) {
    out_ += open;
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      Line();
      write(items[i]);
    }
    --depth_;
    if (!items.empty()) Line();
    out_ += close;
  }
  void Line() {
    // Deeper levels share one indentation: with it, hostile nesting cannot blow the text up more than a few times.
    constexpr std::size_t kIndentMax = 16;
    if (pretty_) out_.append(1, '\n').append(std::min(depth_, kIndentMax) * 2, ' ');
  }

  bool pretty_;
  std::size_t depth_ = 0;
  std::string out_;
};

std::string Write(const Json& value, bool pretty) {
  TextWriter writer(pretty);
  writer.Value(value);
  return std::move(writer).Take();
}

}  // namespace

std::string Pretty(const Json& value) { return Write(value, true); }
std::string Compact(const Json& value) { return Write(value, false); }

}  // namespace writ::canon

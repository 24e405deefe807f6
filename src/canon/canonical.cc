#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "canon/json.h"
#include "canon/number.h"
#include "canon/scan.h"

namespace writ::canon {
namespace {

constexpr std::size_t kNoUnit = 0;

/// The surrogate at `at` of a WTF-8 text, or kNoUnit.
char32_t SurrogateAt(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size() || static_cast<unsigned char>(text[at]) != 0xED) return kNoUnit;
  const auto second = static_cast<unsigned char>(text[at + 1]), third = static_cast<unsigned char>(text[at + 2]);
  if (second < 0xA0 || second > 0xBF || (third & 0xC0) != 0x80) return kNoUnit;
  return 0xD000 | static_cast<char32_t>(second & 0x3F) << 6 | (third & 0x3F);
}

/// Hands out the UTF-16 code units of a WTF-8 text, one at a time.
class Units {
 public:
  Units(std::string_view text, std::size_t at) : text_(text), at_(at) {}
  /// The next unit, or -1 at the end.
  int Next() {
    if (low_ != 0) return static_cast<int>(std::exchange(low_, 0));
    if (at_ >= text_.size()) return -1;
    if (const char32_t unit = SurrogateAt(text_, at_); unit != kNoUnit) {
      at_ += 3;
      return static_cast<int>(unit);
    }
    const Utf8Step step = DecodeUtf8(text_, at_);
    at_ += step.bytes;
    if (step.code < 0x10000) return static_cast<int>(step.code);
    low_ = 0xDC00 + ((step.code - 0x10000) & 0x3FF);
    return static_cast<int>(0xD800 + ((step.code - 0x10000) >> 10));
  }

 private:
  std::string_view text_;
  std::size_t at_;
  char32_t low_ = 0;
};

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Result<> Value(const Json& value, const std::string_view* without = nullptr) {
    if (value.is_string()) {
      String(value.string());
    } else if (value.is_number()) {
      if (!std::isfinite(value.number())) return Fail(Code::kInvalid, "non-finite numbers are not representable in JCS");
      AppendNumber(out_, value.number());
    } else if (value.is_bool()) {
      out_ += value.boolean() ? "true" : "false";
    } else if (value.is_null()) {
      out_ += "null";
    } else {
      if (depth_ == kDepthCeiling) return Fail(Code::kExhausted, "JSON nested deeper than {} levels", kDepthCeiling);
      ++depth_;
      Result<> done = value.is_array() ? Array(value.array()) : Object(value.object(), without);
      --depth_;
      return done;
    }
    return {};
  }

 private:
  Result<> Array(const Json::Array& items) {
    out_ += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      if (auto done = Value(items[i]); !done) return done;
    }
    out_ += ']';
    return {};
  }

  Result<> Object(const Json::Object& members, const std::string_view* without) {
    const std::size_t base = sorted_.size();
    for (const Json::Member& member : members) {
      if (without == nullptr || member.first != *without) sorted_.push_back(&member);
    }
    const std::size_t end = sorted_.size();
    std::sort(sorted_.begin() + static_cast<std::ptrdiff_t>(base), sorted_.end(),
              [](const Json::Member* a, const Json::Member* b) { return CompareUtf16(a->first, b->first) < 0; });
    out_ += '{';
    for (std::size_t i = base; i < end; ++i) {
      if (i > base) out_ += ',';
      String(sorted_[i]->first);
      out_ += ':';
      if (auto done = Value(sorted_[i]->second); !done) return done;
    }
    out_ += '}';
    sorted_.resize(base);
    return {};
  }

  void String(std::string_view text) {
    out_ += '"';
    for (std::size_t at = 0;;) {
      const std::size_t special = FirstSpecial(text, at);
      out_.append(text, at, special - at);
      if (special >= text.size()) break;
      at = special + Special(text, special);
    }
    out_ += '"';
  }

  /// Writes the character at `at`, which is not plain ASCII, and returns the bytes it took.
  std::size_t Special(std::string_view text, std::size_t at) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto c = static_cast<unsigned char>(text[at]);
    switch (c) {
      case '"': out_ += "\\\""; return 1;
      case '\\': out_ += "\\\\"; return 1;
      case '\b': out_ += "\\b"; return 1;
      case '\t': out_ += "\\t"; return 1;
      case '\n': out_ += "\\n"; return 1;
      case '\f': out_ += "\\f"; return 1;
      case '\r': out_ += "\\r"; return 1;
      default: break;
    }
    if (c < 0x20) {
      out_.append("\\u00").append(1, kHex[c >> 4]).append(1, kHex[c & 15]);
      return 1;
    }
    if (const char32_t high = SurrogateAt(text, at); high != kNoUnit) {
      // Two surrogates that came together after reading (by joining strings) are one character, as in UTF-16.
      const char32_t low = high <= 0xDBFF ? SurrogateAt(text, at + 3) : kNoUnit;
      if (low >= 0xDC00) {
        AppendUtf8(out_, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        return 6;
      }
      out_.append("\\ud").append(1, kHex[high >> 8 & 15]).append(1, kHex[high >> 4 & 15]).append(1, kHex[high & 15]);
      return 3;
    }
    // A string built by hand may hold bytes that are not UTF-8; canonical text never does.
    const Utf8Step step = DecodeUtf8(text, at);
    if (step.valid) {
      out_.append(text, at, step.bytes);
    } else {
      AppendUtf8(out_, step.code);
    }
    return step.bytes;
  }

  std::string& out_;
  std::size_t depth_ = 0;
  std::vector<const Json::Member*> sorted_;  ///< one stack for the members of all open objects
};

}  // namespace

int CompareUtf16(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  std::size_t at = 0;
  while (at < common && a[at] == b[at]) ++at;
  if (at == common) return a.size() < b.size() ? -1 : static_cast<int>(a.size() > b.size());
  const auto x = static_cast<unsigned char>(a[at]), y = static_cast<unsigned char>(b[at]);
  // Only characters outside the basic plane (lead byte F0 and up) order differently from their bytes, and only
  // against U+D800 to U+FFFF (lead bytes ED to EF).
  if (std::max(x, y) < 0xF0 || std::min(x, y) < 0xED) return x < y ? -1 : 1;
  Units left(a, at), right(b, at);
  for (;;) {
    const int u = left.Next(), v = right.Next();
    if (u != v) return u < v ? -1 : 1;
    if (u < 0) return 0;
  }
}

Result<> AppendCanonical(std::string& out, const Json& value) { return Writer(out).Value(value); }

Result<std::string> Canonical(const Json& value) {
  std::string out;
  if (auto done = Writer(out).Value(value); !done) return std::unexpected(std::move(done).error());
  return out;
}

Result<std::string> CanonicalWithout(const Json& object, std::string_view without) {
  std::string out;
  if (auto done = Writer(out).Value(object, &without); !done) return std::unexpected(std::move(done).error());
  return out;
}

}  // namespace writ::canon

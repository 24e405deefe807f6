#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <span>

#include "base/escape.h"
#include "base/utf8.h"
#include "canon/json.h"
#include "canon/scan.h"

namespace writ::canon {
namespace {

constexpr std::size_t kFewMembers = 12;  // up to here comparing all pairs of names beats sorting them

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// The value of a number text whose magnitude from_chars could not represent: infinity or zero.
/// The decimal exponent of the first digit that counts decides; it saturates instead of overflowing.
double OutOfRange(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  constexpr std::int64_t kFar = std::int64_t{1} << 40;  // more digits than any text has
  std::int64_t exponent = 0;
  if (const auto e = number.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = number.substr(e + 1);
    const bool below = digits.starts_with('-');
    if (below || digits.starts_with('+')) digits.remove_prefix(1);
    for (const char c : digits) exponent = std::min(kFar, exponent * 10 + (c - '0'));
    if (below) exponent = -exponent;
    number = number.substr(0, e);
  }
  std::size_t point = number.find('.');
  if (point == std::string_view::npos) point = number.size();
  const std::size_t first = number.find_first_not_of("0.");
  if (first == std::string_view::npos) return negative ? -0.0 : 0.0;
  exponent += static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  const double value = exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return negative ? -value : value;
}

/// Recursive descent. Members and items of unfinished containers wait on two stacks, so that each finished container
/// is allocated once with its exact size. A function that returns false has set error_.
class Reader {
 public:
  Reader(std::string_view text, Mode mode, const ParseLimits& limits)
      : text_(text), mode_(mode), depth_max_(std::min(limits.depth_max, kDepthCeiling)), values_max_(limits.values_max) {}

  Result<Json> Read() {
    Json value;
    if (text_.starts_with("\xEF\xBB\xBF")) {
      Refuse(0, "a byte order mark is not allowed; remove the first three bytes");
    } else if (Skip(), Value(value)) {
      Skip();
      if (at_ == text_.size()) return value;
      Refuse(at_, "unexpected text after the value");
    }
    return std::unexpected(std::move(error_));
  }

 private:
  bool Refuse(std::size_t at, std::string_view why, Code code = Code::kInvalid) {
    const std::string_view before = text_.substr(0, at);
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto start = before.rfind('\n');
    const auto column = at - (start == std::string_view::npos ? 0 : start + 1) + 1;
    error_ = Error{code, fmt::format("JSON line {} column {}: {}", line, column, why)};
    return false;
  }
  bool RefuseHere(std::string_view wanted) {
    if (at_ >= text_.size()) return Refuse(text_.size(), fmt::format("the text ends where {} should follow", wanted));
    const Utf8Step step = DecodeUtf8(text_, at_);
    return Refuse(at_, fmt::format("expected {}, found '{}'", wanted, EscapeVisible(text_.substr(at_, step.bytes))));
  }

  void Skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }
  bool Take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool Word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return RefuseHere("a value");
    at_ += word.size();
    return true;
  }

  bool Value(Json& out) {
    if (++values_ > values_max_) {
      return Refuse(at_, fmt::format("more than {} values", values_max_), Code::kExhausted);
    }
    if (at_ >= text_.size()) return RefuseHere("a value");
    switch (text_[at_]) {
      case '{': return Nested([&] { return Object(out); });
      case '[': return Nested([&] { return Array(out); });
      case '"': {
        std::string text;
        if (!String(text)) return false;
        out = Json(std::move(text));
        return true;
      }
      case 't': out = Json(true); return Word("true");
      case 'f': out = Json(false); return Word("false");
      case 'n': out = Json(); return Word("null");
      default: return Number(out);
    }
  }

  template <class Body>
  bool Nested(Body body) {
    if (depth_ == depth_max_) {
      return Refuse(at_, fmt::format("nested deeper than {} levels", depth_max_), Code::kExhausted);
    }
    ++depth_;
    const bool ok = body();
    --depth_;
    return ok;
  }

  bool Array(Json& out) {
    ++at_;
    const std::size_t base = items_.size();
    Skip();
    if (!Take(']')) {
      do {
        Json item;
        Skip();
        if (!Value(item)) return false;
        items_.push_back(std::move(item));
        Skip();
      } while (Take(','));
      if (!Take(']')) return RefuseHere("',' or ']'");
    }
    const auto first = items_.begin() + static_cast<std::ptrdiff_t>(base);
    out = Json(Json::Array(std::move_iterator(first), std::move_iterator(items_.end())));
    items_.erase(first, items_.end());
    return true;
  }

  bool Object(Json& out) {
    const std::size_t start = at_++;
    const std::size_t base = members_.size();
    Skip();
    if (!Take('}')) {
      do {
        Json::Member member{std::string(), Json()};  // clang settles on "not default constructible" inside Json
        Skip();
        if (at_ >= text_.size() || text_[at_] != '"') return RefuseHere("a member name in double quotes");
        if (!String(member.first)) return false;
        Skip();
        if (!Take(':')) return RefuseHere("':'");
        Skip();
        if (!Value(member.second)) return false;
        members_.push_back(std::move(member));
        Skip();
      } while (Take(','));
      if (!Take('}')) return RefuseHere("',' or '}'");
    }
    if (!SettleDuplicates(base, start)) return false;
    const auto first = members_.begin() + static_cast<std::ptrdiff_t>(base);
    out = Json::FromObject(Json::Object(std::move_iterator(first), std::move_iterator(members_.end())));
    members_.erase(first, members_.end());
    return true;
  }

  /// Makes the names from `base` on unique: a later member replaces the value of the first of its name.
  bool SettleDuplicates(std::size_t base, std::size_t start) {
    const std::span<Json::Member> members(members_.begin() + static_cast<std::ptrdiff_t>(base), members_.end());
    if (members.size() < 2) return true;
    if (members.size() <= kFewMembers) {
      bool unique = true;
      for (std::size_t i = 1; i < members.size() && unique; ++i) {
        for (std::size_t k = 0; k < i && unique; ++k) unique = members[i].first != members[k].first;
      }
      if (unique) return true;
    }
    // Equal names end up side by side in order of appearance. Hashes only save comparisons: names that collide on
    // purpose cost string comparisons, never more than sorting does.
    struct Entry {
      std::size_t hash, index;
    };
    std::vector<Entry> order;
    order.reserve(members.size());
    for (const Json::Member& member : members) order.push_back({std::hash<std::string>{}(member.first), order.size()});
    std::sort(order.begin(), order.end(), [&](const Entry& a, const Entry& b) {
      if (a.hash != b.hash) return a.hash < b.hash;
      const int names = members[a.index].first.compare(members[b.index].first);
      return names != 0 ? names < 0 : a.index < b.index;
    });
    std::vector<bool> dropped;
    for (std::size_t i = 0, run = 0; i < order.size(); i = run) {
      Json::Member& first = members[order[i].index];
      for (run = i + 1; run < order.size() && order[run].hash == order[i].hash &&
                        members[order[run].index].first == first.first;) {
        ++run;
      }
      if (run == i + 1) continue;
      if (mode_ == Mode::kStrict) {
        return Refuse(start, fmt::format("the object that begins here has two members named \"{}\"",
                                         EscapeVisible(first.first, 80)));
      }
      dropped.resize(members.size());
      first.second = std::move(members[order[run - 1].index].second);
      for (std::size_t k = i + 1; k < run; ++k) dropped[order[k].index] = true;
    }
    if (dropped.empty()) return true;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (dropped[i]) continue;
      if (kept != i) members[kept] = std::move(members[i]);
      ++kept;
    }
    members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(base + kept), members_.end());
    return true;
  }

  bool String(std::string& out) {
    ++at_;
    for (;;) {
      const std::size_t special = FirstSpecial(text_, at_);
      out.append(text_, at_, special - at_);
      at_ = special;
      if (at_ >= text_.size()) return RefuseHere("the closing '\"' of a string");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (!Escape(out)) return false;
      } else if (c < 0x20) {
        return Refuse(at_, fmt::format("a control character inside a string must be written \\u{:04x}", c));
      } else {
        const Utf8Step step = DecodeUtf8(text_, at_);
        if (step.valid) {
          out.append(text_, at_, step.bytes);
        } else if (mode_ == Mode::kStrict) {
          return Refuse(at_, fmt::format("byte 0x{:02x} at offset {} is not UTF-8", c, at_));
        } else {
          AppendUtf8(out, step.code);
        }
        at_ += step.bytes;
      }
    }
  }

  bool Escape(std::string& out) {
    const std::size_t start = at_++;
    if (at_ >= text_.size()) return RefuseHere("the rest of an escape");
    switch (text_[at_++]) {
      case '"': out += '"'; return true;
      case '\\': out += '\\'; return true;
      case '/': out += '/'; return true;
      case 'b': out += '\b'; return true;
      case 'f': out += '\f'; return true;
      case 'n': out += '\n'; return true;
      case 'r': out += '\r'; return true;
      case 't': out += '\t'; return true;
      case 'u': break;
      default: return Refuse(start, "an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    }
    char32_t unit = 0;
    if (!Hex4(at_, unit)) return Refuse(start, "\\u needs four hex digits");
    at_ += 4;
    char32_t low = 0;
    if (unit >= 0xD800 && unit <= 0xDBFF && text_.substr(at_, 2) == "\\u" && Hex4(at_ + 2, low) && low >= 0xDC00 &&
        low <= 0xDFFF) {
      at_ += 6;
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendUtf8(out, unit);  // a lone surrogate stays one, as WTF-8
    return true;
  }
  bool Hex4(std::size_t at, char32_t& unit) const {
    if (at + 4 > text_.size()) return false;
    std::uint32_t value = 0;
    const char* first = text_.data() + at;
    const auto [end, error] = std::from_chars(first, first + 4, value, 16);
    unit = value;
    return error == std::errc{} && end == first + 4;
  }

  bool Number(Json& out) {
    const std::size_t start = at_;
    Take('-');
    if (at_ >= text_.size() || !IsDigit(text_[at_])) {
      if (at_ == start) return RefuseHere("a value");
      return RefuseHere("a digit");
    }
    std::int64_t integer = 0;
    const std::size_t digits = at_;
    if (Take('0')) {
      if (at_ < text_.size() && IsDigit(text_[at_])) return Refuse(start, "a number must not begin with a spare zero");
    } else {
      for (; at_ < text_.size() && IsDigit(text_[at_]); ++at_) {
        if (at_ - digits < 15) integer = integer * 10 + (text_[at_] - '0');
      }
    }
    const std::size_t integer_digits = at_ - digits;
    bool plain = true;
    if (Take('.')) {
      plain = false;
      if (!Digits()) return RefuseHere("a digit after the decimal point");
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      plain = false;
      ++at_;
      if (!Take('+')) Take('-');
      if (!Digits()) return RefuseHere("a digit of the exponent");
    }
    const bool negative = text_[start] == '-';
    if (plain && integer_digits <= 15) {
      const auto magnitude = static_cast<double>(integer);
      out = Json(negative ? -magnitude : magnitude);
      return true;
    }
    const std::string_view number = text_.substr(start, at_ - start);
    double value = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc{}) value = OutOfRange(number);
    if (std::isinf(value) && mode_ == Mode::kStrict) {
      return Refuse(start, "the number is beyond the range of a double (about 1.8e308)");
    }
    out = Json(value);
    return true;
  }
  bool Digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
    return at_ > start;
  }

  std::string_view text_;
  Mode mode_;
  std::size_t depth_max_, values_max_;
  std::size_t at_ = 0, depth_ = 0, values_ = 0;
  std::vector<Json> items_;
  std::vector<Json::Member> members_;
  Error error_;
};

}  // namespace

Result<Json> Parse(std::string_view text, Mode mode, const ParseLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Fail(Code::kExhausted, "JSON text of {} bytes is larger than the limit of {}", text.size(), limits.bytes_max);
  }
  return Reader(text, mode, limits).Read();
}

}  // namespace writ::canon

#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace writ::canon {

/// A JSON value. Strings are WTF-8, so that lone surrogates survive; numbers are IEEE doubles, as their hashes want it
/// (docs/formats/evidence.md). Objects keep insertion order; names are unique.
class Json {
 public:
  using Member = std::pair<std::string, Json>;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(double value) : value_(value) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  Json(T value) : value_(static_cast<double>(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  /// Json::Of({{"version", "x"}, {"seq", 1}}). Names must differ.
  static Json Of(std::initializer_list<Member> members) { return FromObject(Object(members)); }
  static Json FromObject(Object members);
  static Json MakeObject() { return FromObject({}); }
  static Json MakeArray() { return Json(Array{}); }

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_number() const { return std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  /// Preconditions: the value has that type (checked; aborts otherwise).
  bool boolean() const { return std::get<bool>(value_); }
  double number() const { return std::get<double>(value_); }
  const std::string& string() const { return std::get<std::string>(value_); }
  const Array& array() const { return std::get<Array>(value_); }
  Array& array() { return std::get<Array>(value_); }
  const Object& object() const { return std::get<Object>(value_); }

  /// Member of an object by name; nullptr when absent or when this is not an object.
  const Json* Find(std::string_view name) const;
  /// The member's string, or nullptr when absent or of another type.
  const std::string* FindString(std::string_view name) const;
  /// Sets or replaces a member and returns the object. Precondition: an object.
  Json& Set(std::string_view name, Json value);
  void Remove(std::string_view name);
  void Append(Json value) { array().push_back(std::move(value)); }

  bool operator==(const Json& other) const;  ///< structural; objects unordered

 private:
  std::variant<std::nullptr_t, bool, double, std::string, Array, Object> value_ = nullptr;
};

/// How a text is read.
enum class Mode : unsigned char {
  kWire,   ///< the last of duplicate names wins, as the original reads (canon, hash, verify)
  kStrict  ///< a duplicate name is an error (policy, configuration, requests)
};
struct ParseLimits {
  std::size_t bytes_max = 64u << 20;
  std::size_t depth_max = 128;         ///< nested arrays and objects; more than kDepthCeiling counts as kDepthCeiling
  std::size_t values_max = 4u << 20;   ///< values of any type; bounds memory at about 70 bytes each plus the text
};
/// Readers, writers and destructors recurse once per level; this many levels fit into a 512 KiB stack.
inline constexpr std::size_t kDepthCeiling = 1000;

/// Reads one JSON text (RFC 8259). Errors: kInvalid with line, column and what would be right; kExhausted over a bound.
/// kWire reads as the original does (UTF-8 decoded, then JSON.parse): bytes that are not UTF-8 become U+FFFD, a number
/// beyond the range of a double becomes an infinity, which Canonical refuses. kStrict refuses both. A byte order mark
/// is refused in either mode. Time and memory are linear in the text.
Result<Json> Parse(std::string_view text, Mode mode, const ParseLimits& limits = {});

/// Canonical bytes (docs/formats/evidence.md). Errors: kInvalid `non-finite numbers are not representable in JCS`;
/// kExhausted for a value nested deeper than kDepthCeiling.
Result<std::string> Canonical(const Json& value);
/// Canonical bytes of an object as if it had no member `without`.
Result<std::string> CanonicalWithout(const Json& object, std::string_view without);
/// Appends canonical bytes; on error `out` holds an unspecified prefix more than before.
Result<> AppendCanonical(std::string& out, const Json& value);

/// Order of member names: by UTF-16 code units, not by code points. Negative, zero or positive.
int CompareUtf16(std::string_view a, std::string_view b);

/// Readable text with two-space indentation, members in their own order, for people and for files. No line end after
/// it. Escapes like Compact.
std::string Pretty(const Json& value);
/// Compact text, members in their own order. Control characters, bidi and other format characters are escaped as \u
/// sequences, so that one record stays one visible line. Both forms parse back to an equal value, except that
/// infinities become null, as JSON.stringify writes them.
std::string Compact(const Json& value);

}  // namespace writ::canon

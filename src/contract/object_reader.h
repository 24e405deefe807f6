#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"

namespace writ::contract {

/// Reads the members of one object into typed values. The first problem is kept, with the path of the member and what
/// would be right; reads after it change nothing. Ask Finish() before using what was read.
/// The object is borrowed and must outlive the reader.
class ObjectReader {
 public:
  ObjectReader(const canon::Json& json, std::string_view path);

  /// Whether the member is there. Counts as having been read.
  bool Has(std::string_view name);
  /// The member, or nullptr (a problem when `required`).
  const canon::Json* Member(std::string_view name, bool required = true);

  /// Length in UTF-16 units.
  void Text(std::string_view name, std::string& out, std::size_t min, std::size_t max);
  void Text(std::string_view name, std::optional<std::string>& out, std::size_t min, std::size_t max);
  void Hash(std::string_view name, std::string& out);
  void Hash(std::string_view name, std::optional<std::string>& out);
  void Bool(std::string_view name, bool& out);
  void Bool(std::string_view name, std::optional<bool>& out);
  /// A time of the hashed form, such as 2026-06-11T00:00:00.000Z.
  void Time(std::string_view name, WallTime& out);
  /// A whole number in [min, max]; max is at most 2^53 - 1.
  void Integer(std::string_view name, std::uint64_t& out, std::uint64_t min = 0, std::uint64_t max = kIntegerMax);
  void Integer(std::string_view name, std::optional<std::uint64_t>& out, std::uint64_t min = 0, std::uint64_t max = kIntegerMax);
  void Number(std::string_view name, std::optional<double>& out, double min, bool min_allowed);
  void Texts(std::string_view name, std::vector<std::string>& out, std::size_t count_max, std::size_t length_max, bool required = true);
  /// Calls `item(json, path)` for each element of an array; an error it returns is kept.
  void Each(std::string_view name, std::size_t count_max, bool required,
            const std::function<Result<>(const canon::Json&, std::string_view path)>& item);
  /// Calls `member(name, json, path)` for each member of an object.
  void EachMember(std::string_view name, std::size_t count_max, bool required,
                  const std::function<Result<>(const std::string&, const canon::Json&, std::string_view path)>& member);
  /// Takes the value of a Result of a nested decoder, or keeps its error.
  template <class T>
  void Take(T& out, Result<T> value) {
    if (!value) {
      Keep(std::move(value).error());
    } else if (!error_) {
      out = *std::move(value);
    }
  }
  template <class T>
  void Take(std::optional<T>& out, Result<T> value) {
    if (!value) {
      Keep(std::move(value).error());
    } else if (!error_) {
      out = *std::move(value);
    }
  }

  /// Reports a problem with a member that was read: `path.name: why`.
  void Refuse(std::string_view name, std::string_view why);
  void Keep(Error error);
  /// Refuses every member that no call above has named.
  void RefuseOthers();
  std::string Path(std::string_view name) const;
  /// Errors: kInvalid, `path.member: what would be right`.
  Result<> Finish();

  static constexpr std::uint64_t kIntegerMax = (std::uint64_t{1} << 53) - 1;

 private:
  const canon::Json& json_;
  std::string path_;
  std::vector<std::string_view> named_;
  std::optional<Error> error_;
};

}  // namespace writ::contract

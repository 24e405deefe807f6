#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"
#include "policy/policy.h"

namespace writ::policy {

/// What a member of a policy may hold.
enum class Shape : std::uint8_t {
  kText,   ///< a string, one of `words` if there are any
  kTexts,  ///< a list of such strings
  kBool,
  kNumber,  ///< finite, at least 0
  kCount,   ///< a whole number from 1
  kMillis,  ///< JSON: milliseconds from 1; YAML: a time span such as `1h`
  kSize,    ///< JSON: bytes from 1; YAML: a size such as `64M`
  kLimit,   ///< JSON: the limit's number; YAML: as on the command line, such as `64M`
  kMap,     ///< an object of `fields`
  kList     ///< a list of such objects
};

/// Which of the two objects a member belongs to.
enum class Part : std::uint8_t {
  kBase,      ///< the original's members, at their own place
  kExtension  ///< below `writ`, at the same place as without it
};

/// One key of a policy: its name in YAML, its member in JSON, and what it may hold. One table drives both readers.
struct Field {
  std::string_view name, member;
  Shape shape = Shape::kText;
  Part part = Part::kBase;
  bool required = false;
  bool null_widens = false;  ///< an empty list here allows more, so null is refused instead of read as empty
  std::span<const std::string_view> words{};
  std::span<const Field> fields{};
};

/// Every key of a policy but `version`.
std::span<const Field> PolicyFields();

/// Whether a field, or something below it, belongs to that part.
bool Belongs(const Field& field, Part part);

/// Checks an object against the fields of one part and reports unknown members (with the nearest known name), wrong
/// types, unknown words, text with invisible characters, and lists that are null.
/// `known_elsewhere` are members that the caller reads itself.
void CheckShape(const canon::Json& object, std::span<const Field> fields, Part part, const std::string& path,
                std::span<const std::string_view> known_elsewhere, std::vector<Problem>& problems);

/// `path.name`, or `name` at the root.
std::string MemberPath(const std::string& path, std::string_view name);
std::string ItemPath(const std::string& path, std::size_t index);

/// Adds a problem. The last of kProblemsMax is always fatal, so whoever stops at a full list has not overlooked one.
inline constexpr std::size_t kProblemsMax = 100;
void Report(std::vector<Problem>& problems, bool fatal, std::string path, std::string text);

/// Why a name must not stand in a policy: it is empty, too long or has characters that do not show. "" if it may.
std::string NameObjection(std::string_view name);

}  // namespace writ::policy

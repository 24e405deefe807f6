#include "contract/object_reader.h"

#include <algorithm>
#include <cmath>

#include "base/escape.h"
#include "base/utf8.h"
#include "crypto/digest.h"

namespace writ::contract {

using canon::Json;

ObjectReader::ObjectReader(const Json& json, std::string_view path) : json_(json), path_(path) {
  if (!json.is_object()) Keep(Error{Code::kInvalid, fmt::format("{}: must be an object", path_.empty() ? "(root)" : path_)});
}

std::string ObjectReader::Path(std::string_view name) const {
  return path_.empty() ? EscapeVisible(name, 80) : fmt::format("{}.{}", path_, EscapeVisible(name, 80));
}

void ObjectReader::Keep(Error error) {
  if (!error_) error_ = std::move(error);
}

void ObjectReader::Refuse(std::string_view name, std::string_view why) {
  if (!error_) error_ = Error{Code::kInvalid, fmt::format("{}: {}", Path(name), why)};
}

bool ObjectReader::Has(std::string_view name) {
  named_.push_back(name);
  return json_.Find(name) != nullptr;
}

const Json* ObjectReader::Member(std::string_view name, bool required) {
  named_.push_back(name);
  const Json* member = json_.Find(name);
  if (member == nullptr && required) Refuse(name, "is missing");
  return error_ ? nullptr : member;
}

void ObjectReader::Text(std::string_view name, std::string& out, std::size_t min, std::size_t max) {
  const Json* member = Member(name);
  if (member == nullptr) return;
  if (!member->is_string()) return Refuse(name, "must be a string");
  const std::size_t length = Utf16Length(member->string());
  if (length < min || length > max) return Refuse(name, fmt::format("must have {} to {} characters, has {}", min, max, length));
  out = member->string();
}

void ObjectReader::Text(std::string_view name, std::optional<std::string>& out, std::size_t min, std::size_t max) {
  if (Member(name, false) == nullptr) return;
  std::string text;
  Text(name, text, min, max);
  out = std::move(text);
}

void ObjectReader::Hash(std::string_view name, std::string& out) {
  const Json* member = Member(name);
  if (member == nullptr) return;
  if (!member->is_string() || !crypto::IsHash(member->string())) return Refuse(name, "must be 64 lower-case hex characters");
  out = member->string();
}

void ObjectReader::Hash(std::string_view name, std::optional<std::string>& out) {
  if (Member(name, false) == nullptr) return;
  std::string hash;
  Hash(name, hash);
  out = std::move(hash);
}

void ObjectReader::Bool(std::string_view name, bool& out) {
  const Json* member = Member(name);
  if (member == nullptr) return;
  if (!member->is_bool()) return Refuse(name, "must be true or false");
  out = member->boolean();
}

void ObjectReader::Bool(std::string_view name, std::optional<bool>& out) {
  if (Member(name, false) == nullptr) return;
  bool value = false;
  Bool(name, value);
  out = value;
}

void ObjectReader::Time(std::string_view name, WallTime& out) {
  std::string text;
  Text(name, text, 1, 64);
  if (auto time = ParseTimestamp(text)) {
    out = *time;
  } else {
    Refuse(name, "must be a time like 2026-06-11T00:00:00.000Z");
  }
}

void ObjectReader::Integer(std::string_view name, std::uint64_t& out, std::uint64_t min, std::uint64_t max) {
  const Json* member = Member(name);
  if (member == nullptr) return;
  const double value = member->is_number() ? member->number() : -1;
  if (!(value >= static_cast<double>(min) && value <= static_cast<double>(max)) || std::trunc(value) != value) {
    return Refuse(name, fmt::format("must be a whole number from {} to {}", min, max));
  }
  out = static_cast<std::uint64_t>(value);
}

void ObjectReader::Integer(std::string_view name, std::optional<std::uint64_t>& out, std::uint64_t min, std::uint64_t max) {
  if (Member(name, false) == nullptr) return;
  std::uint64_t value = 0;
  Integer(name, value, min, max);
  out = value;
}

void ObjectReader::Number(std::string_view name, std::optional<double>& out, double min, bool min_allowed) {
  const Json* member = Member(name, false);
  if (member == nullptr) return;
  const double value = member->is_number() ? member->number() : min - 1;
  if (!std::isfinite(value) || value < min || (value == min && !min_allowed)) {
    return Refuse(name, fmt::format("must be a number {} {}", min_allowed ? "of at least" : "above", min));
  }
  out = value;
}

void ObjectReader::Texts(std::string_view name, std::vector<std::string>& out, std::size_t count_max, std::size_t length_max,
                         bool required) {
  std::vector<std::string> texts;
  Each(name, count_max, required, [&](const Json& item, std::string_view path) -> Result<> {
    if (!item.is_string()) return Fail(Code::kInvalid, "{}: must be a string", path);
    if (Utf16Length(item.string()) > length_max) return Fail(Code::kInvalid, "{}: must have at most {} characters", path, length_max);
    texts.push_back(item.string());
    return {};
  });
  if (!error_) out = std::move(texts);
}

void ObjectReader::Each(std::string_view name, std::size_t count_max, bool required,
                        const std::function<Result<>(const Json&, std::string_view)>& item) {
  const Json* member = Member(name, required);
  if (member == nullptr) return;
  if (!member->is_array()) return Refuse(name, "must be an array");
  const auto& items = member->array();
  if (items.size() > count_max) return Refuse(name, fmt::format("must have at most {} elements, has {}", count_max, items.size()));
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (auto done = item(items[i], fmt::format("{}[{}]", Path(name), i)); !done) return Keep(std::move(done).error());
  }
}

void ObjectReader::EachMember(std::string_view name, std::size_t count_max, bool required,
                              const std::function<Result<>(const std::string&, const Json&, std::string_view)>& member) {
  const Json* object = Member(name, required);
  if (object == nullptr) return;
  if (!object->is_object()) return Refuse(name, "must be an object");
  if (object->object().size() > count_max) return Refuse(name, fmt::format("must have at most {} members", count_max));
  for (const auto& [key, value] : object->object()) {
    const std::string path = fmt::format("{}.{}", Path(name), EscapeVisible(key, 80));
    if (auto done = member(key, value, path); !done) return Keep(std::move(done).error());
  }
}

void ObjectReader::RefuseOthers() {
  if (error_) return;
  for (const Json::Member& member : json_.object()) {
    if (std::ranges::find(named_, member.first) == named_.end()) return Refuse(member.first, "is not a known member");
  }
}

Result<> ObjectReader::Finish() {
  if (error_) return std::unexpected(*std::move(error_));
  return {};
}

}  // namespace writ::contract

#include "api/plane/body_reader.h"

#include "base/utf8.h"

namespace writ::api {

std::optional<std::string> BodyReader::OptionalText(std::string_view name, std::size_t min, std::size_t max) {
  const canon::Json* member = body_.Find(name);
  if (member == nullptr) return std::nullopt;
  if (!member->is_string()) {
    Issue(fmt::format("{}: Invalid input: expected string", name));
    return std::nullopt;
  }
  const std::size_t length = Utf16Length(member->string());
  if (length < min) Issue(fmt::format("{}: Too small: expected string to have >={} characters", name, min));
  if (length > max) Issue(fmt::format("{}: Too big: expected string to have <={} characters", name, max));
  return member->string();
}

std::string BodyReader::Text(std::string_view name, std::size_t min, std::size_t max) {
  if (body_.is_object() && body_.Find(name) == nullptr)
    Issue(fmt::format("{}: Invalid input: expected string, received undefined", name));
  return OptionalText(name, min, max).value_or("");
}

std::optional<std::uint64_t> BodyReader::OptionalInteger(std::string_view name, std::uint64_t max) {
  const canon::Json* member = body_.Find(name);
  if (member == nullptr) return std::nullopt;
  if (!member->is_number() || !(member->number() >= 0 && member->number() <= static_cast<double>(max)) ||
      static_cast<double>(static_cast<std::uint64_t>(member->number())) != member->number()) {
    Issue(fmt::format("{}: Invalid input: expected a whole number from 0 to {}", name, max));
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(member->number());
}

const canon::Json* BodyReader::Extension() {
  const canon::Json* writ = body_.Find("writ");
  if (writ == nullptr) return nullptr;
  const canon::Json* version = writ->Find("v");
  if (version == nullptr || *version != canon::Json(1)) {
    Issue("writ: must be an object with \"v\":1");
    return nullptr;
  }
  return writ;
}

plane::Answer<> BodyReader::Finish() {
  if (issues_.empty()) return {};
  return plane::InvalidRequest(std::move(issues_));
}

}  // namespace writ::api

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"
#include "plane/refusal.h"

namespace writ::api {

/// Reads the members of a request's body and collects what is wrong with them, as `issues` of a 400. Borrows the body.
class BodyReader {
 public:
  explicit BodyReader(const canon::Json& body) : body_(body) {
    if (!body.is_object()) issues_.emplace_back("(root): Invalid input: expected object");
  }

  /// A text of min to max UTF-16 units; "" when it is not one.
  std::string Text(std::string_view name, std::size_t min, std::size_t max);
  std::optional<std::string> OptionalText(std::string_view name, std::size_t min, std::size_t max);
  /// A whole number in 0..max.
  std::optional<std::uint64_t> OptionalInteger(std::string_view name, std::uint64_t max);
  /// Our extension: an object with `v` 1; nullptr when it is absent.
  const canon::Json* Extension();

  void Issue(std::string issue) { issues_.push_back(std::move(issue)); }
  /// The refusal, if anything was wrong.
  plane::Answer<> Finish();

 private:
  const canon::Json& body_;
  std::vector<std::string> issues_;
};

}  // namespace writ::api

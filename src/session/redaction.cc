#include "session/redaction.h"

#include <algorithm>
#include <array>

namespace writ::session {
namespace {

using canon::Json;

constexpr std::array<std::string_view, 10> kFreeTexts = {"path", "paths",   "name",       "message", "reason",
                                                         "host", "subject", "incomplete", "grant",   "method"};

void RedactIn(const Redaction& redaction, Json& value, bool free_text) {
  if (value.is_string()) {
    if (free_text) value = Json(Redact(redaction, value.string()));
  } else if (value.is_array()) {
    for (Json& item : value.array()) RedactIn(redaction, item, free_text);
  } else if (value.is_object()) {
    Json::Object members = value.object();
    for (auto& [name, member] : members) RedactIn(redaction, member, std::ranges::find(kFreeTexts, name) != kFreeTexts.end());
    value = Json::FromObject(std::move(members));
  }
}

}  // namespace

void RedactEvent(const Redaction& redaction, Json& event) {
  if (redaction == nullptr || redaction->empty()) return;
  const std::string* type = event.FindString("type");
  if (type != nullptr && *type == "secret.released") return;  // its name is the operator's word
  RedactIn(redaction, event, false);
}

}  // namespace writ::session

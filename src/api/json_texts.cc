#include "api/json_texts.h"

#include "workspace/warrant_manifest.h"

namespace writ::api {

using canon::Json;

std::string TextOf(const Json& object, std::string_view name) {
  const std::string* text = object.FindString(name);
  return text == nullptr ? std::string() : *text;
}

Json WireTexts(const std::vector<std::string>& words) {
  Json list = Json::MakeArray();
  for (const auto& word : words) list.Append(workspace::ToWirePath(word));
  return list;
}

}  // namespace writ::api

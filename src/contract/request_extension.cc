#include "contract/extension.h"
#include "contract/extension_parts.h"
#include "contract/validators.h"

namespace writ::contract {

using canon::Json;

bool IsLabelText(std::string_view text) { return CheckPoolName(text).has_value(); }

bool IsOnLost(std::string_view what) { return what == "fail" || what == "requeue"; }

Json ToJson(const RequestExtension& extension) {
  Json json = Json::Of({{"v", kExtensionVersion}});
  if (extension.tier) json.Set("tier", *extension.tier);
  if (extension.weakest) json.Set("weakest", *extension.weakest);
  if (!extension.limits.empty()) {
    Json::Object limits;
    for (const auto& [member, value] : extension.limits) limits.emplace_back(member, value);
    json.Set("limits", Json::FromObject(std::move(limits)));
  }
  extension_parts::SetShared(json, extension);
  if (extension.egress) json.Set("egress", ToJson(*extension.egress));
  return json;
}

Result<RequestExtension> DecodeRequestExtension(const Json& json, std::string_view path) {
  RequestExtension extension;
  ObjectReader reader(json, path);
  extension_parts::ReadVersion(reader);
  reader.Text("tier", extension.tier, 1, 64);
  reader.Text("weakest", extension.weakest, 1, 64);
  if (const Json* limits = reader.Member("limits", false)) {
    ObjectReader inner(*limits, reader.Path("limits"));
    if (limits->is_object()) {
      for (const auto& [member, value] : limits->object()) {
        const LimitField* limit = FindLimitMember(member);
        if (limit == nullptr) inner.Refuse(member, "is not a known limit");
        inner.Integer(member, extension.limits[member], 1, limit == nullptr ? ObjectReader::kIntegerMax : limit->most);
      }
    }
    if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
  }
  extension_parts::ReadShared(reader, extension);
  if (const Json* egress = reader.Member("egress", false)) {
    reader.Take(extension.egress, DecodeEgressGrant(*egress, reader.Path("egress")));
  }
  reader.RefuseOthers();
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return extension;
}

}  // namespace writ::contract

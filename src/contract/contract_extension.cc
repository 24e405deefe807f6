#include "contract/extension.h"
#include "contract/extension_parts.h"

namespace writ::contract {

using canon::Json;

Json ToJson(const ContractExtension& extension) {
  Json json = Json::Of({{"v", kExtensionVersion},
                        {"tier", extension.tier},
                        {"weakest", extension.weakest},
                        {"limits", extension_parts::ToJson(extension.limits)}});
  extension_parts::SetShared(json, extension);
  if (extension.egress) json.Set("egress", ToJson(*extension.egress));
  if (extension.identity) json.Set("identity", *extension.identity);
  json.Set("decision", extension.decision);
  if (extension.approval) json.Set("approval", *extension.approval);
  json.Set("nonce", extension.nonce);
  return json;
}

Result<ContractExtension> DecodeContractExtension(const Json& json, std::string_view path) {
  ContractExtension extension;
  ObjectReader reader(json, path);
  extension_parts::ReadVersion(reader);
  reader.Text("tier", extension.tier, 1, 64);
  reader.Text("weakest", extension.weakest, 1, 64);
  if (const Json* limits = reader.Member("limits")) {
    reader.Take(extension.limits, extension_parts::DecodeLimits(*limits, reader.Path("limits")));
  }
  extension_parts::ReadShared(reader, extension);
  if (const Json* egress = reader.Member("egress", false)) {
    reader.Take(extension.egress, DecodeEgressGrant(*egress, reader.Path("egress")));
  }
  reader.Text("identity", extension.identity, 1, 256);
  reader.Hash("decision", extension.decision);
  reader.Hash("approval", extension.approval);
  reader.Text("nonce", extension.nonce, 32, 32);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return extension;
}

}  // namespace writ::contract

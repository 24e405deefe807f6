#include "contract/bundle.h"

#include "contract/names.h"

namespace writ::contract {

using canon::Json;

Json MakeBundle(Json contract, Json receipt, Json events, std::string_view plane_public_key_pem,
                std::string_view runner_public_key_pem) {
  Json::Object members;
  members.reserve(5);
  members.emplace_back("version", kBundleVersion);
  members.emplace_back("contract", std::move(contract));
  members.emplace_back("receipt", std::move(receipt));
  members.emplace_back("events", std::move(events));
  members.emplace_back("keys", Json::Of({{"planePublicKeyPem", plane_public_key_pem}, {"runnerPublicKeyPem", runner_public_key_pem}}));
  return Json::FromObject(std::move(members));
}

}  // namespace writ::contract

#include "contract/signing.h"

#include <algorithm>

#include "contract/hash.h"

namespace writ::contract {

using canon::Json;

Result<> AppendSignature(Json& object, std::string_view signer, const crypto::PrivateKey& key) {
  if (!object.is_object()) return Fail(Code::kInvalid, "only an object can be signed");
  const Json* present = object.Find("signatures");
  if (present != nullptr && !present->is_array()) return Fail(Code::kInvalid, "signatures is not an array");
  const std::string hash = WRIT_TRY("sign", HashUnsigned(object));
  Json signatures = present == nullptr ? Json::MakeArray() : *present;
  signatures.Append(Json::Of({{"keyId", key.key_id()}, {"alg", "ed25519"}, {"signer", signer}, {"sig", key.Sign(hash)}}));
  object.Set("signatures", std::move(signatures));
  return {};
}

SignatureState CheckSignature(const Json& signatures, std::string_view signer, std::string_view public_key_pem,
                              std::string_view unsigned_hash) {
  const auto& entries = signatures.array();
  const auto entry = std::ranges::find_if(entries, [&](const Json& candidate) {
    const std::string* role = candidate.FindString("signer");
    return role != nullptr && *role == signer;
  });
  if (entry == entries.end()) return SignatureState::kMissing;
  const std::string* key_id = entry->FindString("keyId");
  if (key_id == nullptr || *key_id != crypto::KeyIdOfPem(public_key_pem)) return SignatureState::kOtherKey;
  const std::string* signature = entry->FindString("sig");
  const auto key = crypto::PublicKey::FromPem(public_key_pem);
  if (signature == nullptr || !key || !key->Verify(unsigned_hash, *signature)) return SignatureState::kBad;
  return SignatureState::kValid;
}

bool IsSignedBy(const Json& object, std::string_view signer, std::string_view public_key_pem) {
  const Json* signatures = object.Find("signatures");
  if (signatures == nullptr || !signatures->is_array()) return false;
  const auto hash = HashUnsigned(object);
  return hash && CheckSignature(*signatures, signer, public_key_pem, *hash) == SignatureState::kValid;
}

}  // namespace writ::contract

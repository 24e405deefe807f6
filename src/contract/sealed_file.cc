#include "contract/sealed_file.h"

#include "contract/names.h"

namespace writ::contract {

using canon::Json;

namespace {

struct BoxMember {
  std::string_view name;
  std::string crypto::SealedBox::*bytes;
};
constexpr BoxMember kMembers[] = {{"salt", &crypto::SealedBox::salt},
                                  {"iv", &crypto::SealedBox::iv},
                                  {"tag", &crypto::SealedBox::tag},
                                  {"data", &crypto::SealedBox::data}};

}  // namespace

Json ToJson(const crypto::SealedBox& box) {
  Json json = Json::Of({{"version", kSealedVersion}});
  for (const BoxMember& member : kMembers) json.Set(member.name, Base64Encode(AsBytes(box.*member.bytes)));
  return json;
}

Result<crypto::SealedBox> DecodeSealed(const Json& json) {
  const std::string* version = json.FindString("version");
  if (version == nullptr || *version != kSealedVersion) {
    return Fail(Code::kCorrupt, "not a sealed file: version must be \"{}\"", kSealedVersion);
  }
  crypto::SealedBox box;
  for (const BoxMember& member : kMembers) {
    const std::string* text = json.FindString(member.name);
    if (text == nullptr) return Fail(Code::kCorrupt, "sealed file: {} is missing", member.name);
    auto bytes = Base64DecodeLenient(*text);
    if (!bytes) return Fail(Code::kCorrupt, "sealed file: {}: {}", member.name, bytes.error().what);
    box.*member.bytes = *std::move(bytes);
  }
  return box;
}

Result<std::string> SealText(ByteView plaintext, const crypto::SecretBytes& master) {
  return canon::Pretty(ToJson(WRIT_TRY("seal", crypto::Seal(plaintext, master)))) + "\n";
}

Result<crypto::SecretBytes> OpenText(std::string_view text, const crypto::SecretBytes& master) {
  auto json = canon::Parse(text, canon::Mode::kStrict, {.bytes_max = 128u << 20, .depth_max = 4, .values_max = 100});
  if (!json) return Fail(Code::kCorrupt, "not a sealed file: {}", json.error().what);
  return crypto::Open(WRIT_TRY("open", DecodeSealed(*json)), master);
}

}  // namespace writ::contract

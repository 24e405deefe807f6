#include "runner/identity.h"

#include <unistd.h>

#include "canon/json.h"
#include "crypto/key_file.h"
#include "sys/file.h"

namespace writ::runner {
namespace {

using canon::Json;

constexpr const char* kIdentityFile = "/identity.json";
constexpr const char* kKeyFile = "/runner.key.pem";
constexpr const char* kPublicFile = "/runner.pub.pem";
constexpr std::size_t kIdentityBytesMax = 64 << 10;

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<std::string> Member(const Json& json, std::string_view name) {
  const std::string* text = json.FindString(name);
  if (text == nullptr || text->empty()) return Fail(Code::kCorrupt, "identity.json has no {}; remove it to enrol again", name);
  return *text;
}

}  // namespace

Result<std::optional<Identity>> ReadIdentity(const std::string& directory) {
  for (const char* file : {kIdentityFile, kKeyFile, kPublicFile})
    if (!Exists(directory + file)) return std::optional<Identity>();
  const auto bytes = WRIT_TRY("identity", crypto::ReadSecretFile(directory + kIdentityFile, kIdentityBytesMax));
  const auto json = WRIT_TRY("identity.json", canon::Parse(AsText(bytes.bytes()), canon::Mode::kStrict));
  auto key = WRIT_TRY("runner key", crypto::ReadKeyFile(directory + kKeyFile));
  const auto pem = WRIT_TRY("runner key", sys::ReadFile(directory + kPublicFile, kIdentityBytesMax));
  if (crypto::KeyIdOfPem(pem) != key.key_id())
    return Fail(Code::kCorrupt, "runner.pub.pem and runner.key.pem in {} are not one key; remove identity.json and both to enrol again",
                directory);
  Identity identity{.runner_id = WRIT_TRY("identity", Member(json, "runnerId")),
                    .runner_token = WRIT_TRY("identity", Member(json, "runnerToken")),
                    .pool = WRIT_TRY("identity", Member(json, "pool")),
                    .plane_pem = "",
                    .extended = false,
                    .key = std::move(key)};
  if (const Json* writ = json.Find("writ")) {
    identity.extended = true;
    if (const auto* plane = writ->FindString("planePublicKeyPem")) identity.plane_pem = *plane;
  }
  return std::optional<Identity>(std::move(identity));
}

Result<crypto::PrivateKey> ReadOrMakeKey(const std::string& directory) {
  auto key = WRIT_TRY("runner key", crypto::ReadOrCreateKeyFile(directory + kKeyFile));
  return key;
}

Result<> StoreIdentity(const std::string& directory, const Identity& identity) {
  WRIT_TRY("runner key", sys::WriteFileAtomic(directory + kPublicFile, identity.key.public_key().Pem(), 0600));
  Json json = Json::Of({{"runnerId", identity.runner_id}, {"runnerToken", identity.runner_token}, {"pool", identity.pool}});
  if (identity.extended) {
    Json writ = Json::Of({{"v", 1}});
    if (!identity.plane_pem.empty()) writ.Set("planePublicKeyPem", identity.plane_pem);
    json.Set("writ", std::move(writ));
  }
  return sys::WriteFileAtomic(directory + kIdentityFile, canon::Compact(json) + "\n", 0600);
}

}  // namespace writ::runner

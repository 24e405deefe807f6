#include "http/serve/serve_home.h"

#include <unistd.h>

#include <memory>

#include "api/plane/stored_secrets.h"
#include "base/ids.h"
#include "canon/json.h"
#include "contract/sealed_file.h"
#include "crypto/key_file.h"
#include "secrets/credentials.h"
#include "secrets/master_key.h"
#include "secrets/secret_store.h"
#include "storage/state_dir.h"
#include "sys/file.h"

namespace writ::http {
namespace {

constexpr std::size_t kSealedBytesMax = 64 << 10;

constexpr std::string_view kFirstPolicy = R"(# Who may run what on this plane. `writ policy check FILE` reports mistakes; docs/formats/policy.md has every key.
version: 1
name: plane

runners:
  allowPools: [default]

agents:
  allow: [command, mock]

tiers:
  allow: [process]

network:
  defaultDeny: true
  allowHosts: []
)";

Result<crypto::PrivateKey> ReadOrCreateSealedKey(const std::string& path, const crypto::SecretBytes& master) {
  auto text = crypto::ReadSecretFile(path, kSealedBytesMax);
  if (!text && text.error().code == Code::kNotFound) {
    const auto made = crypto::PrivateKey::Generate();
    const std::string sealed = WRIT_TRY("seal the key", contract::SealText(AsBytes(made.Pem().text()), master));
    const auto created = crypto::CreateSecretFile(path, AsBytes(sealed));
    if (!created && created.error().code != Code::kInvalid) return std::unexpected(created.error());
    text = crypto::ReadSecretFile(path, kSealedBytesMax);  // this one, or that of a process that was faster
  }
  if (!text) return std::unexpected(std::move(text).error());
  const auto pem = contract::OpenText(text->text(), master);
  if (!pem) return std::unexpected(Error(pem.error()).Doing(path));
  return crypto::PrivateKey::FromPem(pem->text());
}

Result<std::optional<crypto::SecretBytes>> FromOriginalStore(const std::string& path, std::string_view name, const std::string& state,
                                                             const crypto::SecretBytes& given) {
  const auto sealed = crypto::ReadSecretFile(path, 16 << 20);
  if (!sealed && sealed.error().code == Code::kNotFound) return std::nullopt;
  if (!sealed) return std::unexpected(sealed.error());
  const auto master = WRIT_TRY("master key", secrets::ReadMasterKey(state, given));
  const auto text = WRIT_TRY("secrets.enc", contract::OpenText(sealed->text(), master));
  const auto json = WRIT_TRY("secrets.enc", canon::Parse(text.text(), canon::Mode::kWire));
  const std::string* value = json.FindString(name);
  if (value == nullptr) return std::nullopt;
  return crypto::SecretBytes::CopyOf(AsBytes(*value));
}

}  // namespace

std::string MakeToken() {
  std::array<std::uint8_t, 32> bytes{};
  FillRandom(bytes);
  return Base64UrlEncode(bytes);
}

Result<plane::PlaneKeys> ReadOrCreatePlaneKeys(const std::string& state, const crypto::SecretBytes& master) {
  const auto directory = WRIT_TRY("state directory", storage::StateDir::Open(state, storage::StateAccess::kWrite));
  [[maybe_unused]] const auto keys = WRIT_TRY("keys", directory.Subdirectory("keys"));
  const auto key = WRIT_TRY("master key", secrets::ReadOrCreateMasterKey(state, master));
  auto plane_key = WRIT_TRY("plane key", ReadOrCreateSealedKey(state + "/keys/plane.key.enc", key));
  auto keeper = WRIT_TRY("keeper key", ReadOrCreateSealedKey(state + "/keys/keeper.key.enc", key));
  auto made = plane::MakePlaneKeys(std::move(plane_key), std::move(keeper));
  const std::string path = state + "/keys/plane.pub.pem";
  const auto shown = sys::ReadFile(path, kSealedBytesMax);
  if (!shown || *shown != made.plane_pem) WRIT_TRY("public key", sys::WriteFileAtomic(path, made.plane_pem, 0644));
  return made;
}

Result<std::string> InitialiseHome(const ServeSettings& settings, const crypto::SecretBytes& master) {
  const std::string& state = settings.state;
  const auto directory = WRIT_TRY("state directory", storage::StateDir::Open(state, storage::StateAccess::kWrite));
  const auto keys = WRIT_TRY("keys", ReadOrCreatePlaneKeys(state, master));
  const std::string admin = settings.admin_token.empty() ? MakeToken() : settings.admin_token;
  const std::string enroll = settings.enroll_token.empty() ? MakeToken() : settings.enroll_token;
  canon::Json file = canon::Json::MakeObject();
  file.Set("listen", fmt::format("{}{}{}:{}", settings.host.contains(':') ? "[" : "", settings.host, settings.host.contains(':') ? "]" : "", settings.port));
  file.Set("adminToken", admin);
  file.Set("enrollToken", enroll);
  if (settings.tls) {
    file.Set("tlsCert", settings.tls->cert_file);
    file.Set("tlsKey", settings.tls->key_file);
    if (!settings.tls->client_ca_file.empty()) file.Set("clientCa", settings.tls->client_ca_file);
  }
  const std::string policy = settings.policy_file.empty() ? directory.File("policy.yaml") : settings.policy_file;
  if (settings.policy_file.empty()) {
    const auto there = sys::ReadFile(policy, 1 << 20);
    if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
    if (!there) WRIT_TRY("policy", sys::WriteFileAtomic(policy, kFirstPolicy, 0600));
  }
  file.Set("policy", policy);
  const auto created = crypto::CreateSecretFile(directory.File("serve.json"), AsBytes(canon::Pretty(file) + "\n"));
  if (!created && created.error().code == Code::kInvalid) return Fail(Code::kInvalid, "{} has settings already: serve.json", state);
  if (!created) return std::unexpected(created.error());
  if (settings.json) {
    return canon::Compact(canon::Json::Of({{"state", state}, {"policy", policy}, {"planeKey", keys.plane.key_id()}, {"adminToken", admin}, {"enrollToken", enroll}})) + "\n";
  }
  return fmt::format(
      "state        {0}\npolicy       {1}\nplane key    {2} ({0}/keys/plane.pub.pem)\nadmin token  {3}\n"
      "enroll token {4}\n\nBoth tokens are kept in {0}/serve.json; they are not shown again. Start the plane:\n  writ serve --state {0}\n",
      state, policy, keys.plane.key_id(), admin, enroll);
}

plane::SecretLookup SecretsOf(const std::string& state, std::shared_ptr<const secrets::Credentials> credentials, const EnvLookup& env) {
  const auto stored = std::make_shared<plane::SecretLookup>(api::StoredSecrets(state, credentials, env));
  return [state, credentials = std::move(credentials), stored](std::string_view name) -> Result<std::optional<plane::ReleasableSecret>> {
    if (::access((state + "/" + secrets::kStoreFile).c_str(), F_OK) == 0) return (*stored)(name);
    return FromOriginalStore(state + "/secrets.enc", name, state, credentials->master);
  };
}

}  // namespace writ::http

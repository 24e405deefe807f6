#include "secrets/vault.h"

#include <algorithm>
#include <charconv>

#include "base/escape.h"
#include "base/utf8.h"
#include "canon/json.h"
#include "crypto/key_file.h"
#include "secrets/https_get.h"

namespace writ::secrets {
namespace {

using canon::Json;

constexpr std::size_t kTokenBytesMax = 4096;

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

/// RFC 3986 section 2.1, component by component.
std::string EncodePath(std::string_view path) {
  std::string encoded;
  for (const char c : path) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                       c == '_' || c == '~' || c == '/';
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

bool IsCleanPath(std::string_view path) {
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const auto part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return path.find('\0') == path.npos;
}

struct Address {
  bool tls = true;
  std::string host;
  std::uint16_t port = 8200;
};

/// `https://HOST[:PORT]`, as VAULT_ADDR has it.
Result<Address> ParseAddress(std::string_view text) {
  const auto wrong = [&] {
    return Fail(Code::kInvalid, "VAULT_ADDR: `{}` is not https://HOST[:PORT]", EscapeVisible(text.substr(0, 200)));
  };
  Address address;
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
    address.tls = false;
  } else {
    return wrong();
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  if (!IsPrintable(text) || text.find_first_of("/@?#%\\") != text.npos) return wrong();
  address.port = address.tls ? 443 : 80;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == text.npos) return wrong();
    address.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    address.host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (address.host.empty()) return wrong();
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), address.port);
    if (port[0] != ':' || error != std::errc() || end != port.data() + port.size() || address.port == 0) return wrong();
  }
  return address;
}

Result<crypto::SecretBytes> FindToken(const EnvLookup& env, const crypto::SecretBytes& token) {
  std::string from = "VAULT_TOKEN";
  crypto::SecretBytes found;
  if (!token.empty()) {
    found = crypto::SecretBytes::CopyOf(token.bytes());
  } else if (const auto home = env("HOME"); home && !home->empty()) {
    from = *home + "/.vault-token";
    auto text = crypto::ReadSecretFile(from, kTokenBytesMax);
    if (!text && text.error().code != Code::kNotFound) return text;
    if (text) found = crypto::SecretBytes::CopyOf(AsBytes(TrimSpace(text->text())));
  }
  if (found.empty()) return Fail(Code::kNotFound, "Vault needs a token: set VAULT_TOKEN, or log in so that ~/.vault-token is there");
  if (found.size() > kTokenBytesMax || !IsPrintable(found.text())) return Fail(Code::kInvalid, "{} holds no token", EscapeVisible(from));
  return found;
}

/// Overwrites every text of a parsed answer.
void WipeJson(const Json& json) {
  if (json.is_string()) crypto::Wipe(const_cast<std::string&>(json.string()));
  if (json.is_array()) std::ranges::for_each(json.array(), WipeJson);
  if (json.is_object()) {
    for (const auto& [name, member] : json.object()) WipeJson(member);
  }
}

/// The first of Vault's own messages.
std::string Message(const Json& json) {
  const Json* errors = json.Find("errors");
  if (errors == nullptr || !errors->is_array() || errors->array().empty() || !errors->array()[0].is_string()) return "";
  return ": " + EscapeVisible(std::string_view(errors->array()[0].string()).substr(0, 200));
}

Result<crypto::SecretBytes> FieldOf(const Json& answer, const VaultPlace& place) {
  const Json* data = answer.Find("data");
  const Json* fields = data == nullptr ? nullptr : data->Find("data");
  if (fields == nullptr || !fields->is_object()) return Fail(Code::kCorrupt, "the answer is not that of a key-value engine version 2");
  const Json* field = fields->Find(place.field);
  if (field == nullptr) return Fail(Code::kNotFound, "{}/{} has no field {}", EscapeVisible(place.mount), EscapeVisible(place.path), EscapeVisible(place.field));
  if (!field->is_string()) return Fail(Code::kInvalid, "field {} is no text", EscapeVisible(place.field));
  return crypto::SecretBytes::CopyOf(AsBytes(field->string()));
}

}  // namespace

Result<VaultPlace> ParseVaultPlace(std::string_view text) {
  const auto hash = text.rfind('#');
  const auto slash = text.find('/');
  if (hash == text.npos || hash + 1 == text.size() || slash == text.npos || slash > hash || text.size() > 2048 || !IsUtf8(text) ||
      !IsCleanPath(text.substr(0, hash))) {
    return Fail(Code::kInvalid, "vault:{} is not vault:MOUNT/PATH#FIELD", EscapeVisible(text.substr(0, 200)));
  }
  return VaultPlace{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1, hash - slash - 1)), std::string(text.substr(hash + 1))};
}

Result<crypto::SecretBytes> FetchFromVault(std::string_view text, const EnvLookup& env, const crypto::SecretBytes& token,
                                           Deadline deadline) {
  const VaultPlace place = WRIT_TRY("vault", ParseVaultPlace(text));
  const Address address = WRIT_TRY("vault", ParseAddress(env("VAULT_ADDR").value_or("https://127.0.0.1:8200")));
  const crypto::SecretBytes found = WRIT_TRY("vault", FindToken(env, token));
  HttpsRequest request;
  request.tls = address.tls;
  request.host = address.host;
  request.port = address.port;
  request.target = fmt::format("/v1/{}/data/{}", EncodePath(place.mount), EncodePath(place.path));
  request.headers.emplace_back("X-Vault-Request", "true");
  if (const auto name = env("VAULT_NAMESPACE"); name && !name->empty()) {
    if (!IsPrintable(*name) || name->size() > 1024) return Fail(Code::kInvalid, "VAULT_NAMESPACE is no name");
    request.headers.emplace_back("X-Vault-Namespace", *name);
  }
  request.secret_header = "X-Vault-Token";
  request.secret_value = &found;
  request.ca_file = env("VAULT_CACERT").value_or("");
  const HttpsAnswer answer = WRIT_TRY("vault", HttpsGet(request, deadline));

  auto json = canon::Parse(answer.body.text(), canon::Mode::kWire, {.bytes_max = kAnswerBytesMax, .depth_max = 32, .values_max = 100'000});
  const std::string said = json ? Message(*json) : "";
  const std::string where = fmt::format("{}/{}", EscapeVisible(place.mount), EscapeVisible(place.path));
  if (answer.status == 404) return Fail(Code::kNotFound, "vault: there is no secret {}{}", where, said);
  if (answer.status == 401 || answer.status == 403) return Fail(Code::kDenied, "vault: reading {} is refused{}", where, said);
  if (answer.status != 200) return Fail(Code::kUnavailable, "vault: status {}{}", answer.status, said);
  if (!json) return Fail(Code::kCorrupt, "vault: the answer is no JSON");
  auto value = FieldOf(*json, place);
  WipeJson(*json);
  if (!value) return std::unexpected(std::move(value).error().Doing("vault"));
  return value;
}

}  // namespace writ::secrets

#include "plane/jwt.h"

#include <algorithm>

namespace writ::plane {

using canon::Json;

namespace {

constexpr std::size_t kKeysMax = 100, kTextBytesMax = 1u << 20;
constexpr canon::ParseLimits kTokenLimits{.bytes_max = crypto::kJwsBytesMax, .depth_max = 16, .values_max = 4096};

Result<std::string> Bytes(const Json& jwk, std::string_view name) {
  const std::string* text = jwk.FindString(name);
  if (text == nullptr) return Fail(Code::kInvalid, "the key has no \"{}\"", name);
  return crypto::Base64UrlDecodeStrict(*text);
}

bool Is(const Json& jwk, std::string_view name, std::string_view value) {
  const std::string* text = jwk.FindString(name);
  return text != nullptr && *text == value;
}

/// Whether the key is one for signatures of a kind that is known here.
bool IsUsable(const Json& jwk) {
  if (jwk.Find("use") != nullptr && !Is(jwk, "use", "sig")) return false;
  if (const Json* operations = jwk.Find("key_ops")) {
    if (!operations->is_array() || std::ranges::find(operations->array(), Json("verify")) == operations->array().end()) return false;
  }
  const auto fits = [&](std::string_view algorithm) { return jwk.Find("alg") == nullptr || Is(jwk, "alg", algorithm); };
  if (Is(jwk, "kty", "RSA")) return fits("RS256");
  if (Is(jwk, "kty", "EC")) return Is(jwk, "crv", "P-256") && fits("ES256");
  return Is(jwk, "kty", "OKP") && Is(jwk, "crv", "Ed25519") && fits("EdDSA");
}

Result<crypto::JwsKey> KeyOf(const Json& jwk) {
  if (Is(jwk, "kty", "RSA")) {
    const std::string n = WRIT_TRY("n", Bytes(jwk, "n")), e = WRIT_TRY("e", Bytes(jwk, "e"));
    return crypto::JwsKey::Rsa(AsBytes(n), AsBytes(e));
  }
  const std::string x = WRIT_TRY("x", Bytes(jwk, "x"));
  if (Is(jwk, "kty", "OKP")) return crypto::JwsKey::Ed25519(AsBytes(x));
  const std::string y = WRIT_TRY("y", Bytes(jwk, "y"));
  return crypto::JwsKey::EcP256(AsBytes(x), AsBytes(y));
}

Result<Json> ParseObject(std::string_view text, std::string_view what) {
  auto json = canon::Parse(text, canon::Mode::kStrict, kTokenLimits);
  if (!json || !json->is_object()) return Fail(Code::kDenied, "the {} is no JSON object", what);
  return *std::move(json);
}

}  // namespace

Result<JwkSet> ParseJwkSet(std::string_view text) {
  const Json json = WRIT_TRY("JWKS", canon::Parse(text, canon::Mode::kStrict, {.bytes_max = kTextBytesMax}));
  const Json* keys = json.Find("keys");
  if (keys == nullptr || !keys->is_array() || keys->array().size() > kKeysMax)
    return Fail(Code::kInvalid, "a JWKS is an object with a list \"keys\" of at most {} keys", kKeysMax);
  JwkSet set;
  for (const Json& jwk : keys->array()) {
    if (!jwk.is_object()) return Fail(Code::kInvalid, "JWKS: a key is no object");
    if (Is(jwk, "kty", "oct") || jwk.Find("k") != nullptr) return Fail(Code::kInvalid, "JWKS: a symmetric key is nobody's identity");
    if (jwk.Find("d") != nullptr) return Fail(Code::kInvalid, "JWKS: it holds a private key; only public ones belong here");
    if (!IsUsable(jwk)) continue;
    std::optional<std::string> kid;
    if (const std::string* name = jwk.FindString("kid")) kid = *name;
    if (kid && std::ranges::any_of(set, [&](const Jwk& other) { return other.kid == kid; }))
      return Fail(Code::kInvalid, "JWKS: two keys have the same \"kid\"");
    set.push_back({std::move(kid), WRIT_TRY("JWKS", KeyOf(jwk))});
  }
  if (set.empty()) return Fail(Code::kInvalid, "JWKS: no key for RS256, ES256 or EdDSA signatures");
  return set;
}

Result<Json> VerifyJwt(std::string_view token, const JwkSet& keys) {
  auto parts = crypto::SplitJws(token);
  if (!parts) return Fail(Code::kDenied, "it is no signed token: {}", parts.error().what);
  const Json header = WRIT_TRY("token", ParseObject(parts->header, "header"));
  if (header.Find("crit") != nullptr) return Fail(Code::kDenied, "its header asks for extensions that are not known");
  const Jwk* chosen = nullptr;
  if (const Json* kid = header.Find("kid")) {
    if (!kid->is_string()) return Fail(Code::kDenied, "its key id is no text");
    const auto found = std::ranges::find_if(keys, [&](const Jwk& jwk) { return jwk.kid == kid->string(); });
    if (found != keys.end()) chosen = &*found;
  } else if (keys.size() == 1) {
    chosen = &keys.front();
  }
  if (chosen == nullptr) return Fail(Code::kDenied, "it names none of the pinned keys");
  if (!Is(header, "alg", chosen->key.algorithm())) return Fail(Code::kDenied, "its algorithm is not that of its key");
  if (!chosen->key.Verify(parts->signing_input, AsBytes(parts->signature))) return Fail(Code::kDenied, "its signature is not valid");
  return ParseObject(parts->payload, "payload");
}

}  // namespace writ::plane

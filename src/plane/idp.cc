#include "plane/idp.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace writ::plane {

using canon::Json;

namespace {

constexpr double kLeewaySeconds = 60;
constexpr std::size_t kSubjectMax = 256;

bool Names(const Json* audience, std::string_view name) {
  if (audience == nullptr) return false;
  if (audience->is_string()) return audience->string() == name;
  return audience->is_array() && std::ranges::find(audience->array(), Json(name)) != audience->array().end();
}

}  // namespace

Result<std::string> IdentityProvider::Subject(std::string_view token, WallTime now) const {
  const Json claims = WRIT_TRY("identity token", VerifyJwt(token, keys));
  const std::string* from = claims.FindString("iss");
  if (from == nullptr || *from != issuer) return Fail(Code::kDenied, "it is not from the issuer that is configured");
  if (!Names(claims.Find("aud"), audience)) return Fail(Code::kDenied, "it is not meant for this plane");
  const double seconds = static_cast<double>(now.time_since_epoch().count()) / 1000;
  const Json* expires = claims.Find("exp");
  if (expires == nullptr || !expires->is_number() || !std::isfinite(expires->number())) return Fail(Code::kDenied, "it has no time at which it expires");
  if (seconds >= expires->number() + kLeewaySeconds) return Fail(Code::kDenied, "it has expired");
  if (const Json* from_time = claims.Find("nbf")) {
    if (!from_time->is_number() || !(seconds >= from_time->number() - kLeewaySeconds)) return Fail(Code::kDenied, "it is not valid yet");
  }
  const std::string* subject = claims.FindString("sub");
  if (subject == nullptr || subject->empty() || Utf16Length(*subject) > kSubjectMax) return Fail(Code::kDenied, "it has no subject of 1 to {} characters", kSubjectMax);
  return *subject;
}

Result<IdentityProvider> MakeIdentityProvider(std::string issuer, std::string audience, std::string_view jwks_text) {
  if (issuer.empty() || audience.empty()) return Fail(Code::kInvalid, "an identity provider needs an issuer and an audience");
  return IdentityProvider{std::move(issuer), std::move(audience), WRIT_TRY("identity provider", ParseJwkSet(jwks_text))};
}

}  // namespace writ::plane

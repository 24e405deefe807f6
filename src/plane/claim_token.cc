#include "plane/claim_token.h"

#include <array>

#include "base/bytes.h"
#include "base/ids.h"
#include "canon/json.h"

namespace writ::plane {

using canon::Json;

namespace {

/// Only base64url without padding is taken: one token has one text.
bool IsSegment(std::string_view text) {
  return !text.empty() && text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
                              text.npos;
}

}  // namespace

std::string MakeNonce() {
  std::array<std::uint8_t, 16> bytes;
  FillRandom(bytes);
  return Base64UrlEncode(bytes);
}

std::string SealClaimToken(const ClaimToken& token, const crypto::PrivateKey& plane_key) {
  const Json payload = Json::Of({{"runId", token.run_id},
                                 {"runnerId", token.runner_id},
                                 {"nonce", token.nonce},
                                 {"exp", FormatTimestamp(token.expires)}});
  std::string text = Base64UrlEncode(AsBytes(canon::Compact(payload)));
  // Sign gives standard base64 with padding; the token has the URL alphabet without.
  std::string signature = plane_key.Sign(text);
  while (signature.ends_with('=')) signature.pop_back();
  for (char& c : signature) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  text += '.';
  return text += signature;
}

Answer<ClaimToken> OpenClaimToken(std::string_view text, const crypto::PublicKey& plane_key) {
  const std::size_t dot = text.find('.');
  if (text.size() > kClaimTokenBytesMax || dot == text.npos) return BadRequest("malformed claim token");
  const std::string_view payload_text = text.substr(0, dot);
  std::string_view signature = text.substr(dot + 1);
  signature = signature.substr(0, signature.find('.'));
  if (payload_text.empty() || signature.empty()) return BadRequest("malformed claim token");
  if (!IsSegment(payload_text) || !IsSegment(signature) || !plane_key.Verify(payload_text, signature))
    return Unauthorized("claim token signature invalid");

  const auto decoded = Base64DecodeLenient(payload_text);
  const auto payload = decoded ? canon::Parse(*decoded, canon::Mode::kStrict, {.bytes_max = kClaimTokenBytesMax})
                               : Result<Json>(std::unexpected(decoded.error()));
  if (!payload) return BadRequest("claim token payload is not valid JSON");
  ClaimToken token;
  std::string expires;
  const std::pair<std::string_view, std::string*> members[] = {
      {"runId", &token.run_id}, {"runnerId", &token.runner_id}, {"nonce", &token.nonce}, {"exp", &expires}};
  for (const auto& [name, to] : members) {
    const std::string* value = payload->FindString(name);
    if (value == nullptr || value->empty()) return BadRequest("claim token payload is missing required fields");
    *to = *value;
  }
  const auto time = ParseTimestamp(expires);
  if (!time) return BadRequest("claim token expiry is invalid");
  token.expires = *time;
  return token;
}

Answer<> CheckNotExpired(const ClaimToken& token, WallTime now) {
  if (token.expires <= now) return Unauthorized("claim token expired");
  return {};
}

}  // namespace writ::plane

#include "plane/claim_token.h"

#include "base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  static const auto key = crypto::PrivateKey::FromSeed({});
  // The bytes as a token, then as a payload under a good signature.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (plane::OpenClaimToken(text, key.public_key())) __builtin_trap();  // nobody forges one
  const std::string payload = Base64UrlEncode({data, size});
  const auto opened = plane::OpenClaimToken(payload + "." + key.Sign(payload), key.public_key());
  if (opened && opened->run_id.empty()) __builtin_trap();
  return 0;
}

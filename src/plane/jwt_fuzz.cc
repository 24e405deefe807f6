#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plane/idp.h"

// No text may crash the readers of tokens and key sets, and none is a valid token of a key whose secret is nobody's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto provider = plane::MakeIdentityProvider(
      "i", "a", R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})");
  if (!provider) std::abort();
  if (provider->Subject(text, WallTime{})) std::abort();
  if (const auto parts = crypto::SplitJws(text)) {
    // What was taken apart is what was written: there is one text for one token.
    const std::string again = Base64UrlEncode(AsBytes(parts->header)) + "." + Base64UrlEncode(AsBytes(parts->payload));
    if (again != parts->signing_input) std::abort();
  }
  if (const auto keys = plane::ParseJwkSet(text); keys && keys->empty()) std::abort();
  return 0;
}

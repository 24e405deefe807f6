#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crypto/ed25519.h"
#include "crypto/sealed.h"

// Whatever reads as a key must write a PEM that reads as the same key; no text may crash the readers.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::crypto;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto key = PublicKey::FromPem(text)) {
    const auto again = PublicKey::FromPem(key->Pem());
    if (!again || !(*again == *key)) std::abort();
    if (key->Verify("message", text)) std::abort();
  }
  if (const auto key = PrivateKey::FromPem(text)) {
    const auto again = PrivateKey::FromPem(key->Pem().text());
    if (!again || again->key_id() != key->key_id()) std::abort();
  }
  if (!IsKeyId(KeyIdOfPem(text))) std::abort();
  if (const auto master = ReadMaster(text); master && master->empty()) std::abort();
  return 0;
}

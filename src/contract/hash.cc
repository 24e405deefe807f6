#include "contract/hash.h"

#include "crypto/digest.h"

namespace writ::contract {

Result<std::string> HashCanonical(const canon::Json& value) {
  std::string text;
  text.reserve(1024);
  if (auto done = canon::AppendCanonical(text, value); !done) return std::unexpected(std::move(done).error());
  return crypto::Sha256Hex(text);
}

Result<std::string> HashUnsigned(const canon::Json& object) {
  auto text = canon::CanonicalWithout(object, "signatures");
  if (!text) return std::unexpected(std::move(text).error());
  return crypto::Sha256Hex(*text);
}

}  // namespace writ::contract

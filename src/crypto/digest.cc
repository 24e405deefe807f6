// The low-level functions are deprecated in favour of EVP, but EVP costs 0.8 ms at the first use in a process (it loads
// a provider; 2 ms with the configuration file) and twice the time for short inputs. Both matter: the CLI starts on
// every run, and verifying a bundle hashes twenty short texts. The code that runs is the same.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/digest.h"

#include <openssl/sha.h>

#include <algorithm>
#include <new>

namespace writ::crypto {
namespace {

static_assert(sizeof(SHA256_CTX) == 112 && alignof(SHA256_CTX) <= 8);

SHA256_CTX* State(std::array<std::byte, 112>& bytes) { return std::launder(reinterpret_cast<SHA256_CTX*>(bytes.data())); }

}  // namespace

Sha256::Sha256() { SHA256_Init(new (state_.data()) SHA256_CTX); }

void Sha256::Update(ByteView bytes) { SHA256_Update(State(state_), bytes.data(), bytes.size()); }

std::array<std::uint8_t, 32> Sha256::Finish() {
  std::array<std::uint8_t, 32> digest;
  SHA256_Final(digest.data(), State(state_));
  SHA256_Init(State(state_));
  return digest;
}

std::string Sha256Hex(ByteView bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.FinishHex();
}

bool IsHash(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace writ::crypto

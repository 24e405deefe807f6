#pragma once

#include <array>

#include "crypto/ed25519.h"

/// The fixed key pairs of the golden vectors (keys.json). Only for tests and benchmarks: their seeds are public.
namespace writ::test {

inline crypto::PrivateKey KeyOfRepeated(std::uint8_t byte) {
  std::array<std::uint8_t, 32> seed;
  seed.fill(byte);
  return crypto::PrivateKey::FromSeed(seed);
}
inline const crypto::PrivateKey& PlaneKey() {
  static const crypto::PrivateKey key = KeyOfRepeated(0x11);
  return key;
}
inline const crypto::PrivateKey& RunnerKey() {
  static const crypto::PrivateKey key = KeyOfRepeated(0x22);
  return key;
}
inline const crypto::PrivateKey& OtherKey() {
  static const crypto::PrivateKey key = KeyOfRepeated(0x33);
  return key;
}

}  // namespace writ::test

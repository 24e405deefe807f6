#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace writ::crypto {

/// SHA-256 over pieces (OpenSSL EVP). Reusable after Finish.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(ByteView bytes);
  std::array<std::uint8_t, 32> Finish();
  std::string FinishHex() { return HexEncode(Finish()); }

 private:
  void* context_;
};

/// 64 lower-case hex characters (warrant.md section 2.2).
std::string Sha256Hex(ByteView bytes);
inline std::string Sha256Hex(std::string_view text) { return Sha256Hex(AsBytes(text)); }
/// `^[0-9a-f]{64}$`
bool IsHash(std::string_view text);

}  // namespace writ::crypto

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace writ::crypto {

/// SHA-256 over pieces. Reusable after Finish. A copy goes on from the same state.
class Sha256 {
 public:
  Sha256();
  void Update(ByteView bytes);
  std::array<std::uint8_t, 32> Finish();
  std::string FinishHex() { return HexEncode(Finish()); }

 private:
  alignas(8) std::array<std::byte, 112> state_;  ///< OpenSSL's SHA256_CTX
};

/// 64 lower-case hex characters.
std::string Sha256Hex(ByteView bytes);
inline std::string Sha256Hex(std::string_view text) { return Sha256Hex(AsBytes(text)); }
/// `^[0-9a-f]{64}$`
bool IsHash(std::string_view text);

}  // namespace writ::crypto

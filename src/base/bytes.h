#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace writ {

using ByteView = std::span<const std::uint8_t>;

inline ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hex.
std::string HexEncode(ByteView bytes);
/// Errors: kInvalid for odd length or a character outside [0-9a-fA-F].
Result<std::string> HexDecode(std::string_view text);

/// Standard alphabet with padding (RFC 4648 section 4).
std::string Base64Encode(ByteView bytes);
/// URL alphabet without padding (RFC 4648 section 5).
std::string Base64UrlEncode(ByteView bytes);
/// Accepts either alphabet, with or without padding, because signatures of other programs come in all of these.
/// Errors: kInvalid for any other character or an impossible length.
Result<std::string> Base64DecodeLenient(std::string_view text);

}  // namespace writ

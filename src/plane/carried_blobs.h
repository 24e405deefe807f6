#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "canon/json.h"
#include "plane/refusal.h"

namespace writ::plane {

/// Small results that a completion brings along, so that they need no upload of their own. Bounds of one completion:
inline constexpr std::size_t kCarriedMax = 16;
inline constexpr std::size_t kCarriedBytesEach = 64u << 10;
inline constexpr std::size_t kCarriedBytesMax = 256u << 10;  ///< of all; claims say it to runners that know `writ`

struct CarriedBlob {
  std::string hash, bytes;
};

/// Reads `artifacts` of a completion, `["base64", ...]`; null: there are none. The names are made here.
/// Refusals: 400 with what is not so.
Answer<std::vector<CarriedBlob>> ReadCarriedBlobs(const canon::Json* artifacts);

}  // namespace writ::plane

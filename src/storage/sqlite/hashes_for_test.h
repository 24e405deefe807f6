#pragma once

#include <string>
#include <string_view>

#include "crypto/digest.h"

namespace writ::storage {

inline std::string Hash(std::string_view text) { return crypto::Sha256Hex(text); }
inline const std::string kGenesis = Hash("plane key");

}  // namespace writ::storage

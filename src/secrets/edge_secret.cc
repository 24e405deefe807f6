#include "secrets/edge_secret.h"

#include <array>

#include "base/bytes.h"
#include "base/ids.h"

namespace writ::secrets {

std::string MakePlaceholder(std::string_view name) {
  std::array<std::uint8_t, 16> random{};
  FillRandom(random);
  return "writ-secret-" + std::string(name) + "-" + HexEncode(random);
}

}  // namespace writ::secrets

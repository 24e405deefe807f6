#include "plane/carried_blobs.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "crypto/digest.h"

namespace writ::plane {
namespace {

constexpr std::size_t TextMax(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

}  // namespace

Answer<std::vector<CarriedBlob>> ReadCarriedBlobs(const canon::Json* artifacts) {
  std::vector<CarriedBlob> carried;
  if (artifacts == nullptr) return carried;
  if (!artifacts->is_array()) return InvalidRequest({"artifacts: must be an array"});
  if (artifacts->array().size() > kCarriedMax) return InvalidRequest({fmt::format("artifacts: at most {}", kCarriedMax)});
  std::size_t bytes = 0;
  for (const canon::Json& artifact : artifacts->array()) {
    const std::string at = fmt::format("artifacts.{}", carried.size());
    if (!artifact.is_string()) return InvalidRequest({at + ": must be base64"});
    if (artifact.string().size() > TextMax(kCarriedBytesEach)) return InvalidRequest({fmt::format("{}: at most {} bytes", at, kCarriedBytesEach)});
    auto decoded = Base64DecodeLenient(artifact.string());
    if (!decoded) return InvalidRequest({at + ": must be base64"});
    if (decoded->size() > kCarriedBytesEach) return InvalidRequest({fmt::format("{}: at most {} bytes", at, kCarriedBytesEach)});
    bytes += decoded->size();
    if (bytes > kCarriedBytesMax) return InvalidRequest({fmt::format("artifacts: at most {} bytes together", kCarriedBytesMax)});
    carried.push_back({crypto::Sha256Hex(*decoded), *std::move(decoded)});
  }
  return carried;
}

}  // namespace writ::plane

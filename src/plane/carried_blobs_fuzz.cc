#include <cstdint>
#include <string_view>

#include "crypto/digest.h"
#include "plane/carried_blobs.h"

// Whatever comes, no more is taken than the bounds say, and under its own name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  const auto json = canon::Parse(std::string_view(reinterpret_cast<const char*>(data), size), canon::Mode::kStrict);
  if (!json) return 0;
  const auto carried = plane::ReadCarriedBlobs(&*json);
  if (!carried) {
    if (carried.error().status != 400) __builtin_trap();
    return 0;
  }
  if (carried->size() > plane::kCarriedMax) __builtin_trap();
  std::size_t bytes = 0;
  for (const auto& blob : *carried) {
    bytes += blob.bytes.size();
    if (blob.bytes.size() > plane::kCarriedBytesEach || blob.hash != crypto::Sha256Hex(blob.bytes)) __builtin_trap();
  }
  if (bytes > plane::kCarriedBytesMax) __builtin_trap();
  return 0;
}

// Whatever the file holds, reading it never crashes, and what was read is written back the same way.
#include <cstdint>
#include <cstdlib>

#include "client/known_planes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto planes = writ::client::ParseKnownPlanes({reinterpret_cast<const char*>(data), size});
  if (!planes) return 0;
  const std::string text = writ::client::RenderKnownPlanes(*planes);
  const auto again = writ::client::ParseKnownPlanes(text);
  if (!again || writ::client::RenderKnownPlanes(*again) != text) std::abort();
  return 0;
}

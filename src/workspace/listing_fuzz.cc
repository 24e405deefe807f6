// A listing that is accepted is written again as it was, and everything in it stays below its directory.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sys/beneath.h"
#include "workspace/listing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = writ::workspace::ReadListing(text, {1000, 1u << 30});
  if (!manifest) return 0;
  if (writ::workspace::ListingOf(*manifest) != text) std::abort();
  for (const auto& entry : manifest->entries) {
    if (!writ::sys::IsPlainRelativePath(entry.path) || manifest->Find(entry.path) != &entry) std::abort();
  }
  return 0;
}

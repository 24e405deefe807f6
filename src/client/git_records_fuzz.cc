// Whatever stands where git's lists are expected, reading it never crashes and yields only complete records.
#include <cstdint>
#include <cstdlib>

#include "client/git_records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto records = writ::client::ReadChangeRecords(text)) {
    for (const auto& record : *records)
      if (record.path.empty() || record.mode.size() != 6) std::abort();
  }
  if (const auto contents = writ::client::ReadBatch(text)) {
    std::size_t bytes = 0;
    for (const auto& [object, content] : *contents) bytes += object.size() + content.size();
    if (bytes > size) std::abort();
  }
  return 0;
}

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "secrets/record.h"

// Whatever reads as records must be written and read again to the same records.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::secrets;
  const auto records = DecodeRecords({reinterpret_cast<const char*>(data), size});
  if (!records) return 0;
  const auto text = EncodeRecords(*records);
  if (!text) return 0;  // longer when written in our own way
  const auto again = DecodeRecords(text->text());
  if (!again || again->size() != records->size()) std::abort();
  for (const auto& [name, record] : *records) {
    const auto found = again->find(name);
    if (found == again->end() || found->second.value.text() != record.value.text() || found->second.host != record.host ||
        found->second.source != record.source || found->second.updated_at != record.updated_at) {
      std::abort();
    }
  }
  return 0;
}

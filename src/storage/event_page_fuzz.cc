#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "canon/json.h"
#include "storage/event_page.h"

// Any bytes are accepted, the answer is a part of them, and for JSON it is what the parser says.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view timestamp = writ::storage::EventTimestamp(text);
  if (!timestamp.empty() && (timestamp.data() < text.data() || timestamp.size() >= text.size())) std::abort();
  const auto parsed = writ::canon::Parse(text, writ::canon::Mode::kStrict);
  if (!parsed || timestamp.empty()) return 0;
  if (!parsed->is_object()) std::abort();
  const auto member = parsed->FindString("ts");
  if (!member || *member != timestamp) std::abort();
  return 0;
}

#include "plane/plain_events.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  // What is read without values is read with them too, and says the same.
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto plain = plane::ReadPlainPost(body);
  if (!plain) return 0;
  auto json = canon::Parse(body, canon::Mode::kStrict);
  if (!json || json->Find("events") == nullptr) __builtin_trap();
  const auto other = plane::ReadEventBatch(const_cast<canon::Json*>(json->Find("events")));
  if (!other.issues.empty() || other.entries.size() != plain->batch.entries.size()) __builtin_trap();
  for (std::size_t i = 0; i < other.entries.size(); ++i) {
    const auto &a = plain->batch.entries[i], &b = other.entries[i];
    if (a.seq != b.seq || a.text != b.text || a.prev != b.prev || a.hash != b.hash || a.said_hash() != b.said_hash() ||
        a.type != b.type || a.ts != b.ts)
      __builtin_trap();
  }
  return 0;
}

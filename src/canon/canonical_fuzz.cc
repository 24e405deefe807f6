#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "canon/json.h"

// Whatever can be read must be written so that reading it again gives the same canonical bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::canon;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto strict = Parse(text, Mode::kStrict);
  const auto wire = Parse(text, Mode::kWire);
  if (strict && !wire) std::abort();  // strict accepts a subset
  if (!wire) return 0;
  const auto canonical = Canonical(*wire);
  if (!canonical) return 0;  // an infinity
  const auto again = Parse(*canonical, Mode::kStrict);
  if (!again || Canonical(*again).value() != *canonical) std::abort();
  if (!(*again == *wire)) std::abort();
  const auto compact = Parse(Compact(*wire), Mode::kStrict);
  if (!compact || Canonical(*compact).value() != *canonical) std::abort();
  const auto pretty = Parse(Pretty(*wire), Mode::kStrict);
  if (!pretty || !(*pretty == *wire)) std::abort();
  return 0;
}

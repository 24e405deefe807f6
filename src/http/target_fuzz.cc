// Any target splits without harm, and what is logged of it has no control character and a bound.
#include <cstdint>
#include <cstdlib>

#include "http/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto target = writ::http::SplitTarget({reinterpret_cast<const char*>(data), size});
  if (!target) return 0;
  [[maybe_unused]] const bool token = writ::http::CarriesToken(*target);
  const std::string logged = writ::http::LoggedTarget(*target);
  if (logged.size() > 8192) std::abort();
  for (const char c : logged)
    if (static_cast<unsigned char>(c) < 0x20) std::abort();
  return 0;
}

#include "egress/consent.h"

#include <cstdint>
#include <cstdlib>

// A consent is as long as it was found to be, whatever follows it, and nothing shorter is one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto length = writ::egress::ReadTunnelConsent(text);
  if (!length || *length == 0) return 0;
  if (*length > size || *length > writ::egress::kConsentBytesMax) std::abort();
  const auto exact = writ::egress::ReadTunnelConsent(text.substr(0, *length));
  if (!exact || *exact != *length) std::abort();
  const auto shorter = writ::egress::ReadTunnelConsent(text.substr(0, *length - 1));
  if (shorter && *shorter != 0) std::abort();
  return 0;
}

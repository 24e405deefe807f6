#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/host_name.h"

// A normalised host is normal: it normalises to itself, in both of its texts, and is either a name or an address.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto host = NormaliseHost(text);
  if (host) {
    if (host->name.empty() != host->address.has_value() || host->name.size() > 253) std::abort();
    const auto again = NormaliseHost(host->ToText());
    const auto url = NormaliseHost(host->ToUrlText());
    if (!again || !url || !(*again == *host) || !(*url == *host)) std::abort();
    if (host->address) static_cast<void>(Classify(*host->address));
  }
  const auto range = Cidr::FromText(text);
  if (range && !(Cidr::FromText(range->ToText()).value() == *range && range->Contains(range->network))) std::abort();
  return 0;
}

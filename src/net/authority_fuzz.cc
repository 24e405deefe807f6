#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/authority.h"

// A lenient reading never yields NaN, and a strict one says the same when it is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ConnectAuthority lenient = ParseConnectAuthority(text);
  if (std::isnan(lenient.port) || lenient.host.size() > text.size()) std::abort();
  const auto strict = ParseAuthority(text);
  if (!strict) return 0;
  std::string again = strict->hostname;
  if (strict->port) again += ":" + std::to_string(*strict->port);
  const auto reread = ParseAuthority(again);
  if (!reread || !(*reread == *strict)) std::abort();
  const ConnectAuthority both = ParseConnectAuthority(again);
  if (strict->port && both.UsablePort() != strict->port) std::abort();  // both readings agree on the normal form
  return 0;
}

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/client_hello.h"

// Pieces of any size give the same; a name that was read is normal.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::net;
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 32 + 1U;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  ClientHelloReader whole, pieces;
  const auto state = whole.Read(text);
  auto last = pieces.Read("");
  for (std::size_t end = 0; end < text.size() && last && *last == ClientHelloReader::State::kNeedMore;) {
    end = std::min(text.size(), end + piece);
    last = pieces.Read(text.substr(0, end));
  }
  if (state.has_value() != last.has_value() || (state && *state != *last)) std::abort();
  const auto& name = whole.hello().server_name;
  if (name != pieces.hello().server_name || whole.hello().alpn != pieces.hello().alpn) std::abort();
  if (name && !(NormaliseHost(name->ToText()).value() == *name)) std::abort();
  return 0;
}

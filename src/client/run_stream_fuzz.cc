// Whatever a plane streams, decoding it never crashes, and what is joined has no gaps and no repeats.
#include <cstdint>
#include <cstdlib>

#include "client/run_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  net::EventStreamReader reader;
  client::LogJoiner joiner;
  std::uint64_t given[2] = {0, 0};
  static_cast<void>(reader.Push({reinterpret_cast<const char*>(data), size}, [&](const net::ServerEvent& event) -> Result<bool> {
    const auto piece = client::DecodeLogEvent(event);
    if (!piece || !*piece) return true;
    const std::size_t stream = (*piece)->stream == isolation::Stream::kStdout ? 0 : 1;
    given[stream] += joiner.Take(**piece).size();
    if (joiner.passed((*piece)->stream) != given[stream]) std::abort();
    return true;
  }));
  return 0;
}

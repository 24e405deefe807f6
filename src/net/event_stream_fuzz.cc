// A stream cut at any place gives the events of the whole one.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "net/event_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = text.empty() ? 0 : data[0] % text.size();
  std::vector<std::string> whole, pieces;
  const auto into = [](std::vector<std::string>& list) {
    return [&list](const writ::net::ServerEvent& event) -> writ::Result<bool> {
      list.push_back(event.id + "|" + event.name + "|" + event.data);
      return true;
    };
  };
  writ::net::EventStreamReader one, two;
  if (!one.Push(text, into(whole)) || !two.Push(text.substr(0, cut), into(pieces)) || !two.Push(text.substr(cut), into(pieces))) return 0;
  if (whole != pieces) std::abort();
  return 0;
}

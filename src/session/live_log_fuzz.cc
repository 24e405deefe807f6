#include <cstdlib>
#include <string>

#include "session/live_log.h"

/// Whatever a file holds: no more comes out than went in, nothing is read past its end, and where the input is cut does
/// not matter.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const writ::ByteView bytes(data, size);
  const auto take = [](std::string& out) {
    return [&out](writ::ByteView piece) -> writ::Result<> {
      out += writ::AsText(piece);
      return {};
    };
  };
  std::string whole, pieces;
  writ::session::LiveLogFrames at_once, cut;
  const bool read = at_once.Feed(bytes, writ::session::kLiveLog, take(whole)).has_value();
  if (whole.size() > size) std::abort();
  const std::size_t border = size == 0 ? 0 : data[0] % size;
  const bool first = cut.Feed(bytes.first(border), writ::session::kLiveLog, take(pieces)).has_value();
  const bool both = first && cut.Feed(bytes.subspan(border), writ::session::kLiveLog, take(pieces)).has_value();
  if (both != read || pieces != whole) std::abort();
  return 0;
}

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "secrets/redactor.h"

// The first bytes say two values and the size of pieces. However a text is cut, the result is the same, and no value
// is left in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  using namespace writ::secrets;
  if (size < 3) return 0;
  const std::size_t first = data[0] % 16 + 4, second = data[1] % 16 + 4, step = data[2] % 7 + 1;
  const ByteView all(data + 3, size - 3);
  if (all.size() < first + second) return 0;
  const ByteView a = all.first(first), b = all.subspan(first, second), text = all.subspan(first + second);
  const auto patterns = RedactionPatterns::Make({{"A", a}, {"B", b}});
  if (!patterns) std::abort();
  const std::string whole = RedactText(*patterns, AsText(text));
  std::string pieces;
  Redactor redactor(*patterns);
  const Redactor::Sink sink = [&](ByteView piece) -> Result<> {
    pieces += AsText(piece);
    return {};
  };
  for (std::size_t at = 0; at < text.size(); at += step) {
    if (!redactor.Write(text.subspan(at, std::min(step, text.size() - at)), sink)) std::abort();
  }
  if (!redactor.Finish(sink)) std::abort();
  if (pieces != whole) std::abort();
  // A mark may make a value that was not there ("[red" is one), so marks are looked past.
  std::size_t start = 0;
  while (start <= whole.size()) {
    std::size_t end = std::min(whole.find("[redacted:", start), whole.size());
    const std::string_view between = std::string_view(whole).substr(start, end - start);
    if (between.find(AsText(a)) != between.npos || between.find(AsText(b)) != between.npos) std::abort();
    if (end == whole.size()) break;
    start = end + 12;
  }
  return 0;
}

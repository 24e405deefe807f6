#include <cstdlib>

#include "cli/terminal_filter.h"

/// Whatever goes in: no byte that a terminal obeys comes out but ESC of a colour, the size is bounded, and where the
/// input is cut does not matter.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = writ::cli::SafeForTerminal(text);
  if (whole.size() > 8 * size + 4) std::abort();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto c = static_cast<unsigned char>(whole[i]);
    if (c == '\x1b') {
      const auto end = whole.find_first_not_of("0123456789;:", i + 2);
      if (whole[i + 1] != '[' || end == std::string::npos || whole[end] != 'm') std::abort();
    } else if ((c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == 0x7F) {
      std::abort();
    }
  }
  const std::size_t cut = size == 0 ? 0 : data[0] % size;
  writ::cli::TerminalFilter filter;
  std::string pieces;
  filter.Append(text.substr(0, cut), pieces);
  filter.Append(text.substr(cut), pieces);
  filter.Finish(pieces);
  if (pieces != whole) std::abort();
  return 0;
}

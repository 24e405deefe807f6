// A pattern and a path, separated by the first newline: compiling and matching end in bounded time, and a match does
// not depend on having been asked before.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "workspace/patterns.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 1024));
  const std::size_t split = input.find('\n');
  if (split == input.npos) return 0;
  const auto pattern = writ::workspace::Pattern::Compile(input.substr(0, split));
  if (!pattern) return 0;
  const std::string_view path = input.substr(split + 1);
  if (pattern->Matches(path) != pattern->Matches(path)) std::abort();
  return 0;
}

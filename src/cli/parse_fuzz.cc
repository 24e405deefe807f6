#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/parse.h"
#include "cli/run_options.h"

/// Arguments separated by NUL. Whatever they are: an answer, and messages that are one visible line.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\0', at), text.size());
    words.push_back(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  const auto invocation = writ::cli::ParseCommandLine(words);
  if (!invocation) {
    for (const char c : invocation.error().what) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) std::abort();
    }
    return 0;
  }
  if (invocation->command && invocation->command->name == "run" && !invocation->Has("help")) {
    const auto options = writ::cli::ReadRunOptions(*invocation, [](std::string_view) { return std::nullopt; });
    if (options) {
      const auto& limits = options->request.limits;
      if (options->request.argv.empty() || limits.memory_bytes == 0 || limits.pids == 0 || limits.wall_time.count() <= 0) std::abort();
    }
  }
  return 0;
}

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "secrets/dotenv.h"
#include "secrets/record.h"

// What is read keeps every bound, and reads the same when it is written in double quotes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::secrets;
  const auto entries = ParseDotenv({reinterpret_cast<const char*>(data), size});
  if (!entries) return 0;
  std::string text;
  for (const auto& entry : *entries) {
    if (!CheckValue(entry.name, entry.value.bytes())) std::abort();
    text += entry.name + "=\"";
    for (const char c : entry.value.text()) {
      if (c == '`') return 0;  // only single quotes hold it
      text += c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\\' || c == '"' || c == '$' ? std::string("\\") + c : std::string(1, c);
    }
    text += "\"\n";
  }
  const auto again = ParseDotenv(text);
  if (!again) std::abort();
  for (std::size_t i = 0; i < entries->size(); ++i) {
    if ((*again)[i].name != (*entries)[i].name || (*again)[i].value.text() != (*entries)[i].value.text()) std::abort();
  }
  return 0;
}

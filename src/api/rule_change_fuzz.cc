#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/rule_change.h"

// A request that was read is read again as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::api;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = DecodeRuleRequest(text)) {
    const auto again = DecodeRuleRequest(EncodeRuleRequest(*request));
    if (!again || again->id != request->id || again->change.rule != request->change.rule || again->change.add != request->change.add) std::abort();
  }
  if (const auto answer = DecodeRuleAnswer(text)) {
    if (!DecodeRuleAnswer(EncodeRuleAnswer(*answer))) std::abort();
  }
  return 0;
}

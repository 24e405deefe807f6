#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/egress_ceiling.h"

// Two rules, one a line: a rule covers itself, and covering is transitive with the rule that grants every host's port.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::policy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = text.find('\n');
  const auto one = ParseEgressRule(text.substr(0, line));
  if (!one) return 0;
  if (!Covers(*one, *one)) std::abort();
  const auto other = line == text.npos ? writ::Result<EgressRule>(*one) : ParseEgressRule(text.substr(line + 1));
  if (!other) return 0;
  if (Covers(*one, *other) && Covers(*other, *one) && one->port != other->port) std::abort();
  EgressCeiling ceiling;
  ceiling.rules = {*one};
  EgressAsk asked;
  asked.rules = {*other};
  if (JudgeEgress(ceiling, asked).empty() != Covers(*one, *other)) std::abort();
  return 0;
}

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/egress.h"

// A rule that was read matches what it names and nothing private by accident; a decoded path decodes to itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::policy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto rule = ParseEgressRule(text)) {
    EgressRules rules;
    rules.rules.push_back(*rule);
    EgressTarget target{{rule->kind == EgressRule::Kind::kSuffix ? "x." + rule->name : rule->name, std::nullopt},
                        rule->port.value_or(443),
                        {}};
    if (rule->range) target.host = {{}, rule->range->network};
    const bool is_public =
        !rule->range || writ::net::Classify(rule->range->network) == writ::net::AddressClass::kPublic;
    if (!rule->Matches(target)) std::abort();
    if (is_public && !DecideEgress(rules, target).allowed) std::abort();
    if (DecideEgress(rules, target).intercept && !rule->by_request()) std::abort();
    if (!rule->range && DecideAddress(rules, target, writ::net::IpAddress::V4({127, 0, 0, 1})).allowed) std::abort();
  }
  if (const auto path = DecodeRequestPath(text)) {
    if (!path->starts_with('/') || path->find("/../") != std::string::npos || path->find("//") != std::string::npos) {
      std::abort();
    }
    if (!PathGlobMatches("/**", *path)) std::abort();
  }
  return 0;
}

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/evaluate.h"
#include "policy/policy.h"

/// Any JSON value as a policy: no crash, a bounded report, and nothing is allowed that no list names.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto json = canon::Parse(text, canon::Mode::kWire, {.bytes_max = 1u << 20, .depth_max = 32});
  if (!json) return 0;
  std::vector<policy::Problem> problems;
  const auto policy = policy::Decode(*std::move(json), problems);
  if (problems.size() > 100) std::abort();
  if (!policy) return 0;
  policy::Request request;
  request.agent_kind = "kind that no policy can name";
  request.pool = "local";
  if (policy::Evaluate(*policy, request).verdict != policy::Verdict::kDeny) std::abort();
  return 0;
}

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/evaluate.h"
#include "policy/load.h"
#include "policy/render.h"

/// Any text: no crash, no exception, and a policy that was read can be evaluated, shown, and read again from its JSON
/// form with the same hash.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::policy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Checked checked = Check(text, "fuzz");
  for (const Problem& problem : checked.problems) {
    if (FormatProblem(problem, "fuzz").find('\n') != std::string::npos) std::abort();
  }
  if (!checked.policy) return 0;
  Request request;
  request.agent_kind = "command";
  request.pool = "local";
  request.limits = writ::Limits{};
  const Decision decision = Evaluate(*checked.policy, request);
  if (decision.verdict != Verdict::kDeny && checked.policy->pools.empty()) std::abort();
  RenderText(*checked.policy);
  RenderText(decision);
  const auto again = Load(writ::canon::Compact(checked.policy->json), "again");
  if (!again || again->hash != checked.policy->hash) std::abort();
  return 0;
}

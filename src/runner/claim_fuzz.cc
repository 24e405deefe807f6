#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "canon/json.h"
#include "runner/claim.h"
#include "storage/rules.h"

// What a plane answers to a claim. Whatever is taken apart keeps the bounds that the runner relies on, and without the
// plane's signature nothing is acted on where its key is known.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  static const crypto::PrivateKey key = crypto::PrivateKey::Generate();
  const auto answer = canon::Parse(std::string_view(reinterpret_cast<const char*>(data), size), canon::Mode::kWire);
  if (!answer) return 0;
  const auto claim = runner::DecodeClaim(*answer);
  if (!claim || !*claim) return 0;
  if (!(*claim)->contract.is_object()) std::abort();
  if (const auto& lease = (*claim)->lease;
      lease && (lease->life <= Millis{0} || lease->heartbeat <= Millis{0} || lease->heartbeat > lease->life))
    std::abort();
  runner::ClaimRules rules{.pool = "default", .runner_id = "rnr_1", .runner_key_id = key.key_id(), .plane_key = std::nullopt, .now = {}};
  if (const std::string* pool = (*claim)->contract.FindString("pool")) rules.pool = *pool;
  for (const auto& entry : (*claim)->events) {  // as if it was meant for this runner
    const auto* event = entry.Find("event");
    if (event == nullptr) continue;
    if (const auto* id = event->FindString("runnerId")) rules.runner_id = *id;
    if (const auto* id = event->FindString("runnerKeyId")) rules.runner_key_id = *id;
  }
  const auto checked = runner::CheckClaim(**claim, rules);
  if (checked && (!storage::IsRunId((*claim)->run_id) || checked->contract.run_id != (*claim)->run_id ||
                  checked->claimed_at >= (*claim)->events.size()))
    std::abort();
  rules.plane_key = key.public_key();
  if (runner::CheckClaim(**claim, rules)) std::abort();  // signed by nobody who has this key
  return 0;
}

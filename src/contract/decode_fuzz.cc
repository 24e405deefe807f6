#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "contract/contract.h"
#include "contract/extension.h"
#include "contract/handoff.h"
#include "contract/manifest.h"
#include "contract/sealed_file.h"

namespace {

/// What decodes must encode to something that decodes to the same.
template <class Decode>
void CheckRoundTrip(const writ::canon::Json& json, Decode decode) {
  using writ::contract::ToJson;
  const auto first = decode(json);
  if (!first) return;
  const auto encoded = ToJson(*first);
  const auto second = decode(encoded);
  if (!second || !(ToJson(*second) == encoded)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  using canon::Json;
  const auto json = canon::Parse({reinterpret_cast<const char*>(data), size}, canon::Mode::kStrict);
  if (!json) return 0;
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeContract(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeExecution(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeManifest(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeContractExtension(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeReceiptExtension(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeRequestExtension(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeCheckpoint(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeToolJournal(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeEnvelope(j); });
  CheckRoundTrip(*json, [](const Json& j) { return contract::DecodeSealed(j); });
  return 0;
}

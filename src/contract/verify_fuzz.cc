#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "contract/bundle.h"
#include "contract/render.h"
#include "contract/story.h"

// Any JSON is verified and shown without a crash; a malformed bundle has exactly one problem; verdicts do not depend
// on the spelling of the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  const auto bundle = canon::Parse({reinterpret_cast<const char*>(data), size}, canon::Mode::kWire);
  if (!bundle) return 0;
  const auto verdict = contract::VerifyBundle(*bundle);
  if (!verdict.ok() && verdict.problems[0].starts_with("bundle is malformed: ") && verdict.problems.size() != 1) std::abort();
  if (contract::RenderStory(*bundle, verdict).empty()) std::abort();
  if (const auto* contract = bundle->Find("contract"), *receipt = bundle->Find("receipt"); contract != nullptr && receipt != nullptr) {
    contract::ReceiptStory(*contract, *receipt);
  }
  if (const auto* events = bundle->Find("events"); events != nullptr && events->is_array()) {
    for (const auto& entry : events->array()) contract::Summarise(entry);
  }
  if (const auto canonical = canon::Canonical(*bundle)) {
    const auto again = contract::VerifyBundle(canon::Parse(*canonical, canon::Mode::kStrict).value());
    if (again.ok() != verdict.ok() || again.problems.size() != verdict.problems.size()) std::abort();
  }
  return 0;
}

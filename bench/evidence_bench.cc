// What evidence costs: verifying bundles, canonical bytes, appending to a chain, signing. One core, no disk.
#include <benchmark/benchmark.h>

#include <fstream>
#include <iterator>

#include "canon/json.h"
#include "contract/bundle.h"
#include "contract/chain.h"
#include "contract/event.h"
#include "contract/names.h"
#include "contract/receipt.h"
#include "contract/signing.h"
#include "contract/test_keys.h"
#include "crypto/digest.h"

namespace writ {
namespace {

using canon::Json;

const std::string& VectorBundleText() {
  static const std::string text = [] {
    std::ifstream in(WRIT_SOURCE_DIR "/tests/vectors/warrant/bundle-valid.json", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  return text;
}

/// The recorded bundle with its events reduced to twelve, signed anew.
const std::string& TwelveEventBundle() {
  static const std::string text = [] {
    const Json recorded = canon::Parse(VectorBundleText(), canon::Mode::kStrict).value();
    const Json& contract = *recorded.Find("contract");
    contract::ReceiptDraft draft = contract::DraftFor(contract).value();
    contract::EventChain chain(draft.contract_hash);
    contract::ReceiptFacts facts;
    Json events = Json::MakeArray();
    for (const Json& entry : recorded.Find("events")->array()) {
      const std::string& type = *entry.Find("event")->FindString("type");
      if (type == "network.connected") continue;
      Json made = chain.Append(ParseTimestamp(*entry.FindString("ts")).value(), *entry.Find("event")).value();
      facts.Add(made);
      events.Append(std::move(made));
    }
    draft.runner_id = "rnr_1";
    draft.runner_key_id = test::RunnerKey().key_id();
    draft.status = "completed";
    draft.diff_hash = std::string(64, 'd');
    draft.artifact_hashes = {draft.diff_hash};
    Json receipt = contract::MakeReceipt(draft, facts);
    if (!contract::AppendSignature(receipt, contract::kSignerRunner, test::RunnerKey()) ||
        !contract::AppendSignature(receipt, contract::kSignerPlane, test::PlaneKey())) {
      std::abort();
    }
    return canon::Compact(contract::MakeBundle(contract, receipt, events, test::PlaneKey().public_key().Pem(),
                                               test::RunnerKey().public_key().Pem()));
  }();
  return text;
}

/// From text to verdict: read, canonicalise, hash, check three signatures.
void VerifyBundleOfTwelveEvents(benchmark::State& state) {
  const std::string& text = TwelveEventBundle();
  for (auto _ : state) {
    const auto verdict = contract::VerifyBundle(canon::Parse(text, canon::Mode::kWire).value());
    if (!verdict.ok()) state.SkipWithError("the bundle does not verify");
  }
  state.SetItemsProcessed(state.iterations());
  state.SetLabel(std::to_string(text.size()) + " bytes, 12 events");
}
BENCHMARK(VerifyBundleOfTwelveEvents);

/// The part of verification that no faster curve arithmetic can take away: three checks and nothing else.
void ThreeSignatureChecks(benchmark::State& state) {
  const auto& key = test::PlaneKey();
  const std::string hash(64, 'a'), signature = key.Sign(hash);
  for (auto _ : state) {
    for (int i = 0; i < 3; ++i) benchmark::DoNotOptimize(key.public_key().Verify(hash, signature));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ThreeSignatureChecks);

void ReadJson(benchmark::State& state) {
  const std::string& text = VectorBundleText();
  for (auto _ : state) benchmark::DoNotOptimize(canon::Parse(text, canon::Mode::kWire));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(ReadJson);

void Canonicalise(benchmark::State& state) {
  const Json bundle = canon::Parse(VectorBundleText(), canon::Mode::kWire).value();
  std::size_t bytes = 0;
  for (auto _ : state) {
    const auto text = canon::Canonical(bundle);
    bytes = text->size();
    benchmark::DoNotOptimize(text);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(Canonicalise);

void Hash(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crypto::Sha256Hex(text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Hash)->Arg(300)->Arg(1 << 20);

void AppendToChain(benchmark::State& state) {
  contract::EventChain chain(std::string(64, '0'));
  const WallTime now{};
  for (auto _ : state) benchmark::DoNotOptimize(chain.Append(now, contract::event::NetworkConnected("api.example.com", true)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(AppendToChain);

void SignReceipt(benchmark::State& state) {
  const Json bundle = canon::Parse(VectorBundleText(), canon::Mode::kWire).value();
  Json unsigned_receipt = *bundle.Find("receipt");
  unsigned_receipt.Remove("signatures");
  for (auto _ : state) {
    Json receipt = unsigned_receipt;
    if (!contract::AppendSignature(receipt, contract::kSignerRunner, test::RunnerKey())) state.SkipWithError("signing failed");
    benchmark::DoNotOptimize(receipt);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SignReceipt);

}  // namespace
}  // namespace writ

BENCHMARK_MAIN();

#include "plane/retention.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "crypto/digest.h"

namespace writ::plane {
namespace {

constexpr Millis kAgain = std::chrono::hours{1};
constexpr std::size_t kRunsAtOnce = 1000, kPageRuns = 256, kEnvelopeBytesMax = 64u << 20, kHashDigits = 64;

using Hashes = std::set<std::string, std::less<>>;

/// Every maximal run of 64 lower-case hex digits in a text.
void AddHashes(std::string_view text, Hashes& hashes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of(kDigits, i), text.size());
    if (end - i == kHashDigits) hashes.emplace(text.substr(i, kHashDigits));
    i = end + 1;
  }
}

/// The moment `days` ago; nothing is that old when it is before all time.
WallTime DaysBefore(WallTime now, double days) {
  constexpr double kDay = 86400000;
  const double at = static_cast<double>(now.time_since_epoch().count()) - days * kDay;
  return WallTime{Millis{at < 0 ? 0 : static_cast<std::int64_t>(at)}};
}

/// What a blob names: an envelope, a listing of a directory, a record. One that was never sent, or is none, names nothing.
void AddHashesIn(Core& core, std::string_view blob, Hashes& hashes) {
  if (const auto content = core.blobs.Get(blob, kEnvelopeBytesMax)) AddHashes(*content, hashes);
}

/// The files of directories that a run is to see: the contract names only their listings.
void AddInputs(Core& core, const canon::Json& document, Hashes& hashes) {
  const canon::Json* writ = document.Find("writ");
  const canon::Json* inputs = writ == nullptr ? nullptr : writ->Find("inputs");
  if (inputs == nullptr || !inputs->is_array()) return;
  for (const auto& input : inputs->array()) {
    const std::string *type = input.FindString("type"), *hash = input.FindString("sha256");
    if (type != nullptr && *type == "directory" && hash != nullptr && crypto::IsHash(*hash)) AddHashesIn(core, *hash, hashes);
  }
}

/// What one run names.
Result<> AddNamesOf(Core& core, const storage::Run& run, Hashes& hashes) {
  for (const std::string_view kind : {"contract", "receipt", "request"}) {
    const auto text = WRIT_TRY("retention", core.store.GetDocument(run.id, kind));
    if (!text) continue;
    AddHashes(*text, hashes);
    const auto json = canon::Parse(*text, canon::Mode::kWire);
    if (json) AddInputs(core, *json, hashes);
    const canon::Json* continuation = json ? json->Find("continuation") : nullptr;
    const std::string* envelope = continuation == nullptr ? nullptr : continuation->FindString("envelopeHash");
    if (envelope == nullptr || !crypto::IsHash(*envelope)) continue;
    AddHashesIn(core, *envelope, hashes);
  }
  const auto artifacts = WRIT_TRY("retention", core.store.Artifacts(run.id));
  for (const auto& artifact : artifacts) {
    hashes.insert(artifact.hash);
    if (artifact.kind == "outputs" || artifact.kind == "changes") AddHashesIn(core, artifact.hash, hashes);
  }
  if (storage::IsTerminal(run.status)) return {};
  const auto events = WRIT_TRY("retention", core.store.Events(run.id));
  for (const auto& event : events) AddHashes(event, hashes);
  return {};
}

Result<Hashes> NamedHashes(Core& core, WallTime artifacts_since) {
  Hashes hashes;
  std::optional<std::uint64_t> before;
  for (;;) {
    const auto runs = WRIT_TRY("retention", core.store.ListRuns(kPageRuns, before));
    for (const auto& run : runs) {
      before = run.number;
      if (storage::IsTerminal(run.status) && run.updated < artifacts_since) continue;
      WRIT_TRY("retention", AddNamesOf(core, run, hashes));
    }
    if (runs.size() < kPageRuns) return hashes;
  }
}

}  // namespace

Answer<Millis> Retain(Core& core, Change& change) {
  if (!core.settings.retention) return kAgain;
  const WallTime now = change.now();
  const auto old = WRIT_ANSWER(core.store.Retirable(DaysBefore(now, core.policy.receipts_days), kRunsAtOnce));
  for (const auto& id : old) {
    WRIT_ANSWER(change->DeleteRun(id));
    core.chains.Forget(id);
  }
  const Hashes named = WRIT_ANSWER(NamedHashes(core, DaysBefore(now, core.policy.artifacts_days)));
  std::vector<std::string> unnamed;
  WRIT_ANSWER(core.blobs.ForEach([&](const storage::BlobStore::Entry& entry) -> Result<> {
    if (!named.contains(entry.hash)) unnamed.push_back(entry.hash);
    return {};
  }));
  // Only once the runs that named them are gone for good. What cannot be removed now is found again in an hour.
  change.AfterCommit([&core, unnamed = std::move(unnamed), rest = now - kBlobRest] {
    for (const auto& hash : unnamed) static_cast<void>(core.blobs.Remove(hash, rest));
  });
  return old.size() == kRunsAtOnce ? Millis{1000} : kAgain;
}

}  // namespace writ::plane

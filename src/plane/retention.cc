#include "plane/retention.h"

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "crypto/digest.h"

namespace writ::plane {
namespace {

constexpr Millis kAgain = std::chrono::hours{1};
constexpr std::size_t kRetiredAtOnce = 1000, kPageRuns = 256, kEnvelopeBytesMax = 64u << 20, kHashDigits = 64;
constexpr int kRecordsMax = 32;  ///< of outputs and changes of one run: each of its attempts has one of either

/// The blobs that were there when a look around began. What it remembers grows with what is stored, not with what
/// somebody names, and a blob is read once, whoever names it how often.
struct Seen {
  std::uint64_t bytes = 0;
  bool named = false, read = false;
};
using Stored = std::map<std::string, Seen, std::less<>>;

void AddHash(std::string_view hash, Stored& stored) {
  if (const auto found = stored.find(hash); found != stored.end()) found->second.named = true;
}

/// Every maximal run of 64 lower-case hex digits in a text.
void AddHashes(std::string_view text, Stored& stored) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of(kDigits, i), text.size());
    if (end - i == kHashDigits) AddHash(text.substr(i, kHashDigits), stored);
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
/// Errors: it cannot be read now, and nobody knows what it names.
Result<> AddHashesIn(Core& core, std::string_view blob, Stored& stored) {
  const auto found = stored.find(blob);
  if (found == stored.end() || found->second.bytes > kEnvelopeBytesMax || std::exchange(found->second.read, true)) return {};
  const auto content = core.blobs.Get(blob, kEnvelopeBytesMax);
  if (content) AddHashes(*content, stored);
  else if (content.error().code != Code::kNotFound && content.error().code != Code::kCorrupt) return std::unexpected(content.error());
  return {};
}

/// The files of directories that a run is to see: the contract names only their listings.
Result<> AddInputs(Core& core, const canon::Json& document, Stored& stored) {
  const canon::Json* writ = document.Find("writ");
  const canon::Json* inputs = writ == nullptr ? nullptr : writ->Find("inputs");
  if (inputs == nullptr || !inputs->is_array()) return {};
  for (const auto& input : inputs->array()) {
    const std::string *type = input.FindString("type"), *hash = input.FindString("sha256");
    if (type != nullptr && *type == "directory" && hash != nullptr && crypto::IsHash(*hash))
      WRIT_TRY("directory of a run", AddHashesIn(core, *hash, stored));
  }
  return {};
}

/// What one run names.
Result<> AddNamesOf(Core& core, const storage::Run& run, Stored& stored) {
  for (const std::string_view kind : {"contract", "receipt", "request"}) {
    const auto text = WRIT_TRY("retention", core.store.GetDocument(run.id, kind));
    if (!text) continue;
    AddHashes(*text, stored);
    const auto json = canon::Parse(*text, canon::Mode::kWire);
    if (json) WRIT_TRY("retention", AddInputs(core, *json, stored));
    const canon::Json* continuation = json ? json->Find("continuation") : nullptr;
    const std::string* envelope = continuation == nullptr ? nullptr : continuation->FindString("envelopeHash");
    if (envelope == nullptr || !crypto::IsHash(*envelope)) continue;
    WRIT_TRY("envelope of a run", AddHashesIn(core, *envelope, stored));
  }
  const auto artifacts = WRIT_TRY("retention", core.store.Artifacts(run.id));
  int records = 0;
  for (const auto& artifact : artifacts) {
    AddHash(artifact.hash, stored);
    if ((artifact.kind == "outputs" || artifact.kind == "changes") && ++records <= kRecordsMax)
      WRIT_TRY("record of a run", AddHashesIn(core, artifact.hash, stored));
  }
  if (storage::IsTerminal(run.status)) return {};
  const auto events = WRIT_TRY("retention", core.store.Events(run.id));
  for (const auto& event : events) AddHashes(event, stored);
  return {};
}

/// Looks at every run for what it names.
Result<> AddNames(Core& core, WallTime artifacts_since, Stored& stored) {
  std::optional<std::uint64_t> before;
  for (;;) {
    const auto runs = WRIT_TRY("retention", core.store.ListRuns(kPageRuns, before));
    for (const auto& run : runs) {
      before = run.number;
      if (storage::IsTerminal(run.status) && run.updated < artifacts_since) continue;
      WRIT_TRY("retention", AddNamesOf(core, run, stored));
    }
    if (runs.size() < kPageRuns) return {};
  }
}

}  // namespace

Answer<Millis> Retain(Core& core, Change& change) {
  if (!core.settings.retention) return kAgain;
  const WallTime now = change.now();
  const auto old = WRIT_ANSWER(core.store.Retirable(DaysBefore(now, core.policy.receipts_days), kRetiredAtOnce));
  for (const auto& id : old) {
    WRIT_ANSWER(change->DeleteRun(id));
    core.chains.Forget(id);
  }
  Stored stored;
  WRIT_ANSWER(core.blobs.ForEach([&](const storage::BlobStore::Entry& entry) -> Result<> {
    stored.try_emplace(entry.hash, Seen{.bytes = entry.bytes});
    return {};
  }));
  WRIT_ANSWER(AddNames(core, DaysBefore(now, core.policy.artifacts_days), stored));
  std::vector<std::string> unnamed;
  for (const auto& [hash, seen] : stored)
    if (!seen.named) unnamed.push_back(hash);
  // Only once the runs that named them are gone for good. What cannot be removed now is found again in an hour.
  change.AfterCommit([&core, unnamed = std::move(unnamed), rest = now - kBlobRest] {
    for (const auto& hash : unnamed) static_cast<void>(core.blobs.Remove(hash, rest));
  });
  return old.size() == kRetiredAtOnce ? Millis{1000} : kAgain;
}

}  // namespace writ::plane

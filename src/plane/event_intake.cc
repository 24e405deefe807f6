#include "plane/event_intake.h"

#include "contract/chain.h"
#include "contract/names.h"
#include "crypto/digest.h"
#include "plane/event_schema.h"

namespace writ::plane {

using canon::Json;

namespace {

/// What is wrong with the members of an entry around its event.
std::string EntryProblem(const Json& entry, std::uint64_t& seq) {
  if (!entry.is_object()) return "must be an object";
  const std::string* version = entry.FindString("version");
  if (version == nullptr || *version != contract::kEventVersion)
    return fmt::format("version: must be {}", contract::kEventVersion);
  const Json* number = entry.Find("seq");
  if (number == nullptr || !number->is_number() || !(number->number() >= 0 && number->number() <= 9007199254740991.0))
    return "seq: must be a whole number";
  seq = static_cast<std::uint64_t>(number->number());
  if (static_cast<double>(seq) != number->number()) return "seq: must be a whole number";
  const std::string* ts = entry.FindString("ts");
  if (ts == nullptr || !ParseTimestamp(*ts)) return "ts: must be a timestamp such as 2026-01-02T03:04:05.678Z";
  for (const auto* name : {"prev", "hash"}) {
    const std::string* hash = entry.FindString(name);
    if (hash == nullptr || !crypto::IsHash(*hash)) return fmt::format("{}: must be 64 lower-case hex characters", name);
  }
  const Json* event = entry.Find("event");
  if (event == nullptr) return "event: is missing";
  // The hash covers these members only: anything else could be changed unseen.
  if (entry.object().size() != 6) return "has a member that entries do not have";
  if (auto problem = EventProblem(*event); !problem.empty()) return "event." + problem;
  return "";
}

std::unexpected<Refusal> Rejected(std::uint64_t seq, std::string_view reason) {
  return BadRequest(fmt::format("event chain rejected at seq {}: {}", seq, reason));
}

/// How many entries at the front of a batch are stored already. They must be equal.
Answer<std::size_t> SkipStored(Core& core, const KeptRun& run, const EventBatch& batch) {
  const auto& entries = batch.entries;
  std::size_t known = 0;
  while (known < entries.size() && entries[known].seq < run.chain.count()) ++known;
  if (known == 0) return 0;
  // A repeated post continues from its own first entry, one by one.
  const std::uint64_t first = entries.front().seq;
  const auto stored = WRIT_ANSWER(core.store.Events(run.id, first, known));
  for (std::size_t i = 0; i < known; ++i) {
    if (entries[i].seq != first + i || i >= stored.size()) return Rejected(entries[i].seq, "sequence gap");
    const auto entry = canon::Parse(stored[i], canon::Mode::kWire);
    const std::string* hash = entry ? entry->FindString("hash") : nullptr;
    if (hash == nullptr || *hash != entries[i].hash || entries[i].said_hash() != entries[i].hash)
      return Rejected(entries[i].seq, "another event is stored there");
  }
  return known;
}

}  // namespace

std::string AddEntry(EventBatch& batch, Json json) {
  BatchEntry entry;
  if (auto problem = EntryProblem(json, entry.seq); !problem.empty()) return "." + problem;
  auto hash = contract::HashEntry(json);
  if (!hash) return ": " + hash.error().what;
  std::string text = canon::Compact(json);
  if (text.size() > kEntryBytesMax) return fmt::format(": longer than {} bytes", kEntryBytesMax);
  batch.kept.push_back({std::move(json), std::move(text), *std::move(hash)});
  const EventBatch::Kept& kept = batch.kept.back();
  entry.text = kept.text;
  entry.hash = kept.hash;
  entry.prev = *kept.json.FindString("prev");
  entry.ts = *kept.json.FindString("ts");
  entry.type = *kept.json.Find("event")->FindString("type");
  entry.json = &kept.json;
  batch.entries.push_back(entry);
  return {};
}

EventBatch ReadEventBatch(Json* events) {
  EventBatch batch;
  const auto refuse = [&](std::string issue) {
    batch.issues.push_back(std::move(issue));
    return std::move(batch);
  };
  if (events == nullptr || !events->is_array()) return refuse("events: must be an array");
  Json::Array& entries = events->array();
  if (entries.size() > kBatchMax) return refuse(fmt::format("events: at most {} at a time", kBatchMax));
  batch.entries.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (auto problem = AddEntry(batch, std::move(entries[i])); !problem.empty())
      return refuse(fmt::format("events.{}{}", i, problem));
  return batch;
}

Answer<> CheckTakesEvents(const KeptRun& run) {
  if (!storage::IsTerminal(run.status)) return {};
  return Conflict(fmt::format("run {} is {}; its events are complete", run.id, storage::RunStatusName(run.status)));
}

Answer<> TakeEvents(Core& core, Change& change, KeptRun& run, const EventBatch& batch) {
  WRIT_ANSWER(CheckTakesEvents(run));
  if (!batch.issues.empty()) return InvalidRequest(batch.issues);
  const std::size_t known = WRIT_ANSWER(SkipStored(core, run, batch));
  const std::size_t fresh = batch.entries.size() - known;

  if (run.status == storage::RunStatus::kClaimed)
    WRIT_ANSWER(core.chains.SetStatus(change, run, storage::RunStatus::kRunning));
  if (fresh == 0) return {};
  if (run.chain.count() + fresh > kEventsPerRunMax)
    return Plain(413, fmt::format("a run has at most {} events", kEventsPerRunMax));

  std::uint64_t seq = run.chain.count();
  std::string_view prev = run.chain.head();
  bool ended = !run.facts.terminal.empty();
  std::size_t remembered = run.remembered, bytes = run.bytes, remembered_bytes = run.remembered_bytes;
  const auto entries = std::span(batch.entries).subspan(known);
  for (const BatchEntry& entry : entries) {
    if (entry.seq != seq) return Rejected(seq, "sequence gap");
    if (entry.prev != prev) return Rejected(seq, "prev hash mismatch");
    if (entry.said_hash() != entry.hash) return Rejected(seq, "event hash mismatch");
    if (ended) return Rejected(seq, "the run's last event was posted before");
    prev = entry.hash;
    ended = entry.type == "run.completed" || entry.type == "run.failed" || entry.type == "run.cancelled";
    bytes += entry.text.size();
    if (IsRemembered(entry.type)) {
      if (++remembered > kRememberedMax)
        return Plain(413, fmt::format("a run has at most {} events that its receipt repeats", kRememberedMax));
      remembered_bytes += entry.text.size();
    }
    if (!ended && (bytes > kRunBytesMax || remembered_bytes > kRememberedBytesMax))  // its end is always taken
      return Plain(413, "the events of this run are too large together");
    ++seq;
  }
  WRIT_ANSWER(core.chains.Store(change, run, entries, contract::EventChain::Resume(seq, std::string(prev))));
  session::Reach(core.fault, fault::kEventsAppended);
  return {};
}

}  // namespace writ::plane

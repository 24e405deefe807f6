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
  std::size_t known = 0;
  while (known < batch.entries.size() && batch.seqs[known] < run.chain.count()) ++known;
  if (known == 0) return 0;
  // A repeated post continues from its own first entry, one by one.
  const auto stored = WRIT_ANSWER(core.store.Events(run.id, batch.seqs.front(), known));
  for (std::size_t i = 0; i < known; ++i) {
    if (batch.seqs[i] != batch.seqs.front() + i || i >= stored.size()) return Rejected(batch.seqs[i], "sequence gap");
    const auto entry = canon::Parse(stored[i], canon::Mode::kWire);
    const std::string* hash = entry ? entry->FindString("hash") : nullptr;
    if (hash == nullptr || *hash != batch.hashes[i] || *batch.entries[i].FindString("hash") != batch.hashes[i])
      return Rejected(batch.seqs[i], "another event is stored there");
  }
  return known;
}

}  // namespace

EventBatch ReadEventBatch(Json* events) {
  EventBatch batch;
  const auto refuse = [&](std::string issue) {
    batch.issues.push_back(std::move(issue));
    return std::move(batch);
  };
  if (events == nullptr || !events->is_array()) return refuse("events: must be an array");
  Json::Array& entries = events->array();
  if (entries.size() > kBatchMax) return refuse(fmt::format("events: at most {} at a time", kBatchMax));
  batch.texts.reserve(entries.size());
  batch.hashes.reserve(entries.size());
  batch.seqs.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::uint64_t seq = 0;
    if (auto problem = EntryProblem(entries[i], seq); !problem.empty())
      return refuse(fmt::format("events.{}.{}", i, problem));
    auto hash = contract::HashEntry(entries[i]);
    if (!hash) return refuse(fmt::format("events.{}: {}", i, hash.error().what));
    batch.texts.push_back(canon::Compact(entries[i]));
    if (batch.texts.back().size() > kEntryBytesMax)
      return refuse(fmt::format("events.{}: longer than {} bytes", i, kEntryBytesMax));
    batch.hashes.push_back(*std::move(hash));
    batch.seqs.push_back(seq);
  }
  batch.entries = std::move(entries);
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
  for (std::size_t i = known; i < batch.entries.size(); ++i, ++seq) {
    const Json& entry = batch.entries[i];
    if (batch.seqs[i] != seq) return Rejected(seq, "sequence gap");
    if (*entry.FindString("prev") != prev) return Rejected(seq, "prev hash mismatch");
    if (*entry.FindString("hash") != batch.hashes[i]) return Rejected(seq, "event hash mismatch");
    if (ended) return Rejected(seq, "the run's last event was posted before");
    prev = batch.hashes[i];
    const std::string& type = *entry.Find("event")->FindString("type");
    ended = type == "run.completed" || type == "run.failed" || type == "run.cancelled";
    if (IsRemembered(type) && ++remembered > kRememberedMax)
      return Plain(413, fmt::format("a run has at most {} events that its receipt repeats", kRememberedMax));
    bytes += batch.texts[i].size();
    if (IsRemembered(type)) remembered_bytes += batch.texts[i].size();
    if (!ended && (bytes > kRunBytesMax || remembered_bytes > kRememberedBytesMax))  // its end is always taken
      return Plain(413, "the events of this run are too large together");
  }
  const auto end = contract::EventChain::Resume(seq, std::string(prev));
  WRIT_ANSWER(core.chains.Store(change, run, std::span(batch.entries).subspan(known),
                                {batch.texts.begin() + static_cast<std::ptrdiff_t>(known), batch.texts.end()}, end));
  session::Reach(core.fault, fault::kEventsAppended);
  return {};
}

}  // namespace writ::plane

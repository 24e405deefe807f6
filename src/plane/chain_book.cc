#include "plane/chain_book.h"

#include "contract/hash.h"
#include "plane/event_schema.h"

namespace writ::plane {

using canon::Json;

void KeptRun::Observe(const Json& entry, std::size_t text_bytes) {
  facts.Observe(entry);
  bytes += text_bytes;
  const Json* event = entry.Find("event");
  const std::string* type = event == nullptr ? nullptr : event->FindString("type");
  if (type == nullptr) return;
  if (IsRemembered(*type)) {
    ++remembered;
    remembered_bytes += text_bytes;
  }
  if (*type == "artifact.created") return Name(event->FindString("kind"), event->FindString("hash"));
  const Json* writ = event->Find("writ");
  if (writ == nullptr || !writ->is_object()) return;
  static const std::string kOutputs = "outputs", kChanges = "changes";
  if (*type == "writ.outputs.recorded") Name(&kOutputs, writ->FindString("sha256"));
  if (*type == "writ.changes.recorded") Name(&kChanges, writ->FindString("sha256"));
  if (*type == "writ.stream.kept") Name(writ->FindString("stream"), writ->FindString("sha256"));
}

void KeptRun::Name(const std::string* kind, const std::string* hash) {
  if (kind != nullptr && hash != nullptr) artifacts.emplace_back(*kind, *hash);
}

void KeptRun::Observe(const BatchEntry& entry) {
  if (entry.json != nullptr) return Observe(*entry.json, entry.text.size());
  facts.ObservePlain(entry.type, entry.ts, entry.hash, entry.mono_us);
  bytes += entry.text.size();
}

Result<std::unique_ptr<KeptRun>> ChainBook::Load(std::string_view id) {
  const storage::Run row = WRIT_TRY("read run", store_.GetRun(id));
  if (!row.contract) return Fail(Code::kInvalid, "run {} has no contract", id);
  auto run = std::make_unique<KeptRun>();
  run->id = row.id;
  run->status = row.status;
  auto contract = canon::Parse(*row.contract, canon::Mode::kWire);
  if (!contract) return Fail(Code::kCorrupt, "contract of run {} is not JSON", id);
  run->contract = *std::move(contract);
  run->contract_hash = WRIT_TRY("read contract", contract::HashUnsigned(run->contract));
  if (const Json* runner = run->contract.Find("runner"))
    if (const std::string* pool = runner->FindString("pool")) run->pool = *pool;

  run->chain = contract::EventChain(run->contract_hash);
  static constexpr std::size_t kPage = 4096;
  for (;;) {
    const auto texts = WRIT_TRY("read events", store_.Events(id, run->chain.count(), kPage));
    for (const auto& text : texts) {
      const auto entry = canon::Parse(text, canon::Mode::kWire);
      if (!entry) return Fail(Code::kCorrupt, "event {} of run {} is not JSON", run->chain.count(), id);
      if (const auto broken = WRIT_TRY("read events", run->chain.Accept(*entry)))
        return Fail(Code::kCorrupt, "run {}: event chain broken at seq {}: {}", id, broken->seq, broken->reason);
      run->Observe(*entry, text.size());
    }
    if (texts.size() < kPage) break;
  }
  if (run->chain.count() != row.event_count || run->chain.head() != row.head)
    return Fail(Code::kCorrupt, "run {} has {} events in the store, but its row says {}", id, run->chain.count(),
                row.event_count);
  return run;
}

Result<KeptRun*> ChainBook::Open(Change& change, std::string_view id) {
  const std::string key(id);
  auto found = by_id_.find(key);
  if (found == by_id_.end()) {
    runs_.push_front(WRIT_TRY("open run", Load(id)));
    found = by_id_.emplace(key, runs_.begin()).first;
    if (runs_.size() > runs_max_) {
      by_id_.erase(runs_.back()->id);
      runs_.pop_back();
    }
    // What was read may be what this transaction has written.
    change.OnUndo([this, key] { Forget(key); });
  } else if (found->second != runs_.begin()) {
    runs_.splice(runs_.begin(), runs_, found->second);
  }
  return found->second->get();
}

Result<> ChainBook::SetStatus(Change& change, KeptRun& run, storage::RunStatus status) {
  WRIT_TRY("move run", change->SetStatus(run.id, status, change.now()));
  change.OnUndo([this, id = run.id] { Forget(id); });
  run.status = status;
  return {};
}

Result<> ChainBook::Append(Change& change, KeptRun& run, std::vector<Json> events) {
  contract::EventChain end = run.chain;
  std::vector<std::pair<Json, std::string>> kept;
  std::vector<BatchEntry> entries;
  kept.reserve(events.size());
  for (auto& event : events) {
    BatchEntry entry{.seq = end.count()};
    Json json = WRIT_TRY("append event", end.Append(change.now(), std::move(event)));
    std::string text = canon::Compact(json);
    const auto& [made, made_text] = kept.emplace_back(std::move(json), std::move(text));
    entry.text = made_text;
    entry.prev = *made.FindString("prev");
    entry.hash = *made.FindString("hash");
    entry.json = &made;
    entries.push_back(entry);
  }
  return Store(change, run, entries, end);
}

Result<> ChainBook::Store(Change& change, KeptRun& run, std::span<const BatchEntry> entries, const contract::EventChain& end) {
  if (entries.empty()) return {};
  std::vector<storage::NewEvent> rows;
  rows.reserve(entries.size());
  for (const BatchEntry& entry : entries)
    rows.push_back({.seq = entry.seq, .prev = entry.prev, .hash = entry.hash, .text = entry.text});
  WRIT_TRY("append events", change->AppendEvents(run.id, rows));
  change.OnUndo([this, id = run.id] { Forget(id); });
  for (const BatchEntry& entry : entries) run.Observe(entry);
  run.chain = end;
  if (watcher_ != nullptr && watcher_->Watches(run.id)) {
    std::vector<std::string> texts;
    for (const BatchEntry& entry : entries) texts.emplace_back(entry.text);
    change.AfterCommit([watcher = watcher_, id = run.id, first = entries.front().seq, kept = std::move(texts)]() mutable {
      watcher->Appended(id, first, std::move(kept));
    });
  }
  return {};
}

void ChainBook::Forget(std::string_view id) {
  const auto found = by_id_.find(std::string(id));
  if (found == by_id_.end()) return;
  runs_.erase(found->second);
  by_id_.erase(found);
}

}  // namespace writ::plane

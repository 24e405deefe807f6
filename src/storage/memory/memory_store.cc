#include "storage/memory/memory_store.h"

#include <algorithm>

#include "storage/memory/memory_reads.h"
#include "storage/rules.h"

namespace writ::storage {

std::vector<const RunData*> MemoryStore::ByNumber() const {
  std::vector<const RunData*> runs;
  for (const auto& [id, data] : data_.runs) runs.push_back(&data);
  std::ranges::sort(runs, {}, [](const RunData* data) { return data->run.number; });
  return runs;
}

Result<std::unique_ptr<Transaction>> MemoryStore::Begin() {
  if (open_) return Fail(Code::kInternal, "this store has a transaction already");
  return std::make_unique<MemoryTransaction>(data_, open_);
}

Result<Run> MemoryStore::GetRun(std::string_view id) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  return found->second.run;
}

Result<std::string> MemoryStore::ResolveRun(std::string_view prefix) {
  if (!IsRunId(prefix)) return NoSuchRun(prefix);
  std::vector<std::string> found;
  for (const std::string& from : {std::string(prefix), fmt::format("run_{}", prefix)}) {
    for (auto run = data_.runs.lower_bound(from); run != data_.runs.end() && run->first.starts_with(from); ++run) {
      found.push_back(run->first);
    }
  }
  std::ranges::sort(found);
  return PickRun(prefix, found);
}

Result<std::vector<Run>> MemoryStore::ListRuns(std::size_t limit, std::optional<std::uint64_t> before) {
  std::vector<Run> runs;
  for (const RunData* data : ByNumber()) {
    if (before && data->run.number >= *before) continue;
    runs.push_back(data->run);
    runs.back().contract.reset();
    runs.back().receipt.reset();
  }
  std::ranges::reverse(runs);
  if (runs.size() > limit) runs.resize(limit);
  return runs;
}

Result<std::vector<std::string>> MemoryStore::Events(std::string_view id, std::uint64_t from_seq, std::size_t limit) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  std::vector<std::string> texts;
  const auto& events = found->second.events;
  for (std::uint64_t seq = from_seq; seq < events.size() && texts.size() < limit; ++seq) texts.push_back(events[seq]);
  return texts;
}

Result<std::vector<Artifact>> MemoryStore::Artifacts(std::string_view id) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  return found->second.artifacts;
}

Result<std::vector<std::string>> MemoryStore::Unfinished() {
  std::vector<std::string> ids;
  for (const RunData* data : ByNumber()) {
    if (data->run.contract && !IsTerminal(data->run.status)) ids.push_back(data->run.id);
  }
  return ids;
}

Result<std::vector<std::string>> MemoryStore::GcCandidates(WallTime older_than, std::size_t keep_last) {
  const auto runs = ByNumber();
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < runs.size() && runs.size() - i > keep_last; ++i) {
    const Run& run = runs[i]->run;
    if (IsTerminal(run.status) && run.updated < older_than) ids.push_back(run.id);
  }
  return ids;
}

Result<bool> MemoryStore::BlobInUse(std::string_view hash) {
  return std::ranges::any_of(data_.runs, [&](const auto& run) {
    return std::ranges::find(run.second.artifacts, hash, &Artifact::hash) != run.second.artifacts.end();
  });
}

Result<DecisionHead> MemoryStore::GetDecisionHead(std::string_view genesis) {
  if (data_.decisions.empty()) return DecisionHead{0, std::string(genesis)};
  return DecisionHead{data_.decisions.size(), data_.decisions.back().hash};
}

Result<std::vector<Decision>> MemoryStore::Decisions(std::uint64_t from_seq, std::size_t limit) {
  std::vector<Decision> page;
  for (std::uint64_t seq = from_seq; seq < data_.decisions.size() && page.size() < limit; ++seq) {
    page.push_back(data_.decisions[seq]);
  }
  return page;
}

Result<std::optional<std::string>> MemoryStore::GetValue(std::string_view key) {
  const auto found = data_.values.find(key);
  if (found == data_.values.end()) return std::nullopt;
  return found->second;
}

std::unique_ptr<Store> MakeMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace writ::storage

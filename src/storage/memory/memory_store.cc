#include "storage/memory/memory_store.h"

#include <algorithm>
#include <map>

#include "storage/decision_log.h"
#include "storage/rules.h"

namespace writ::storage {
namespace {

struct RunData {
  Run run;
  std::vector<std::string> events;
  std::vector<Artifact> artifacts;

  RunState State() const {
    return {run.status, run.contract.has_value(), run.receipt.has_value(), run.head, run.event_count};
  }
};

struct Data {
  std::map<std::string, RunData, std::less<>> runs;
  std::uint64_t last_number = 0;
  std::vector<Decision> decisions;
  std::string genesis;
  std::map<std::string, std::string, std::less<>> values;
};

class MemoryTransaction final : public Transaction {
 public:
  MemoryTransaction(Data& data, bool& open) : data_(data), open_(open) { open_ = true; }
  ~MemoryTransaction() override {
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
    open_ = false;
  }

  Result<> CreateRun(const NewRun& run) override {
    WRIT_TRY("create run", CheckNewRun(run));
    if (data_.runs.contains(run.id)) return RunExists(run.id);
    RunData made;
    made.run = {.id = run.id,
                .status = run.status,
                .number = ++data_.last_number,
                .created = run.created,
                .updated = run.created,
                .summary = run.summary,
                .contract = {},
                .receipt = {},
                .head = {},
                .event_count = 0};
    data_.runs.emplace(run.id, std::move(made));
    undo_.push_back([this, id = run.id] { data_.runs.erase(id); });
    return {};
  }

  Result<> SetContract(std::string_view id, std::string_view text, std::string_view contract_hash) override {
    RunData& data = *WRIT_TRY("store contract", Change(id));
    WRIT_TRY("store contract", CheckContract(id, data.State(), contract_hash));
    data.run.contract = text;
    data.run.head = contract_hash;
    return {};
  }

  Result<> AppendEvent(std::string_view id, const NewEvent& event) override {
    const auto found = data_.runs.find(id);
    if (found == data_.runs.end()) return NoSuchRun(id);
    RunData& data = found->second;
    WRIT_TRY("append event", CheckEvent(id, data.State(), event));
    undo_.push_back([this, name = std::string(id), head = data.run.head] {
      RunData& back = data_.runs.find(name)->second;
      back.events.pop_back();
      back.run.head = head;
      --back.run.event_count;
    });
    data.events.emplace_back(event.text);
    data.run.head = event.hash;
    ++data.run.event_count;
    return {};
  }

  Result<> SetReceipt(std::string_view id, std::string_view text, std::string_view events_head, RunStatus status,
                      WallTime now) override {
    RunData& data = *WRIT_TRY("store receipt", Change(id));
    WRIT_TRY("store receipt", CheckReceipt(id, data.State(), events_head, status));
    data.run.receipt = text;
    data.run.status = status;
    data.run.updated = now;
    return {};
  }

  Result<> SetStatus(std::string_view id, RunStatus status, WallTime now) override {
    RunData& data = *WRIT_TRY("set status", Change(id));
    WRIT_TRY("set status", CheckStatus(id, data.State()));
    data.run.status = status;
    data.run.updated = now;
    return {};
  }

  Result<> SetSummary(std::string_view id, std::string_view summary) override {
    WRIT_TRY("set summary", Change(id))->run.summary = summary;
    return {};
  }

  Result<> AddArtifact(std::string_view id, const Artifact& artifact) override {
    WRIT_TRY("add artifact", CheckArtifact(id, artifact));
    RunData& data = *WRIT_TRY("add artifact", Change(id));
    const bool taken = std::ranges::any_of(data.artifacts, [&](const Artifact& other) {
      return other.kind == artifact.kind && other.name == artifact.name;
    });
    if (taken) return Fail(Code::kInvalid, "run {} has an artifact of that kind and name already", id);
    data.artifacts.push_back(artifact);
    return {};
  }

  Result<> DeleteRun(std::string_view id) override {
    const auto found = data_.runs.find(id);
    if (found == data_.runs.end()) return NoSuchRun(id);
    undo_.push_back([this, name = std::string(id), kept = found->second] { data_.runs.insert_or_assign(name, kept); });
    data_.runs.erase(found);
    return {};
  }

  Result<DecisionHead> AppendDecision(std::string_view genesis, const NewDecision& decision) override {
    WRIT_TRY("log decision", CheckDecision(genesis, decision));
    if (!data_.genesis.empty() && data_.genesis != genesis) {
      return Fail(Code::kInvalid, "log decision: the log was begun under another plane key");
    }
    const DecisionHead head{data_.decisions.size(),
                            data_.decisions.empty() ? std::string(genesis) : data_.decisions.back().hash};
    const DecisionEntry entry = WRIT_TRY("log decision", MakeDecisionEntry(head, decision));
    undo_.push_back([this, before = data_.genesis] {
      data_.decisions.pop_back();
      data_.genesis = before;
    });
    data_.genesis = genesis;
    data_.decisions.push_back({head.count, decision.kind, decision.run_id, entry.hash, entry.text});
    return DecisionHead{head.count + 1, entry.hash};
  }

  Result<> PutValue(std::string_view key, std::string_view value) override {
    const auto found = data_.values.find(key);
    if (found == data_.values.end()) {
      undo_.push_back([this, name = std::string(key)] { data_.values.erase(name); });
    } else {
      undo_.push_back([this, name = std::string(key), before = found->second] { data_.values[name] = before; });
    }
    data_.values.insert_or_assign(std::string(key), std::string(value));
    return {};
  }

  Result<> Commit(Durability) override {
    undo_.clear();
    return {};
  }

 private:
  /// A run that is about to change; its present row is kept for undoing.
  Result<RunData*> Change(std::string_view id) {
    const auto found = data_.runs.find(id);
    if (found == data_.runs.end()) return NoSuchRun(id);
    RunData& data = found->second;
    undo_.push_back([this, name = std::string(id), run = data.run, artifacts = data.artifacts.size()] {
      RunData& back = data_.runs.find(name)->second;
      back.run = run;
      back.artifacts.resize(artifacts);
    });
    return &data;
  }

  Data& data_;
  bool& open_;
  std::vector<std::function<void()>> undo_;
};

class MemoryStore final : public Store {
 public:
  Result<std::unique_ptr<Transaction>> Begin() override {
    if (open_) return Fail(Code::kInternal, "this store has a transaction already");
    return std::make_unique<MemoryTransaction>(data_, open_);
  }

  Result<Run> GetRun(std::string_view id) override {
    const auto found = data_.runs.find(id);
    if (found == data_.runs.end()) return NoSuchRun(id);
    return found->second.run;
  }

  Result<std::string> ResolveRun(std::string_view prefix) override {
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

  Result<std::vector<Run>> ListRuns(std::size_t limit, std::optional<std::uint64_t> before) override {
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

  Result<std::vector<std::string>> Events(std::string_view id, std::uint64_t from_seq, std::size_t limit) override {
    const auto found = data_.runs.find(id);
    if (found == data_.runs.end()) return NoSuchRun(id);
    std::vector<std::string> texts;
    const auto& events = found->second.events;
    for (std::uint64_t seq = from_seq; seq < events.size() && texts.size() < limit; ++seq) texts.push_back(events[seq]);
    return texts;
  }

  Result<std::vector<Artifact>> Artifacts(std::string_view id) override {
    const auto found = data_.runs.find(id);
    if (found == data_.runs.end()) return NoSuchRun(id);
    return found->second.artifacts;
  }

  Result<std::vector<std::string>> Unfinished() override {
    std::vector<std::string> ids;
    for (const RunData* data : ByNumber()) {
      if (data->run.contract && !IsTerminal(data->run.status)) ids.push_back(data->run.id);
    }
    return ids;
  }

  Result<std::vector<std::string>> GcCandidates(WallTime older_than, std::size_t keep_last) override {
    const auto runs = ByNumber();
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < runs.size() && runs.size() - i > keep_last; ++i) {
      const Run& run = runs[i]->run;
      if (IsTerminal(run.status) && run.updated < older_than) ids.push_back(run.id);
    }
    return ids;
  }

  Result<bool> BlobInUse(std::string_view hash) override {
    return std::ranges::any_of(data_.runs, [&](const auto& run) {
      return std::ranges::find(run.second.artifacts, hash, &Artifact::hash) != run.second.artifacts.end();
    });
  }

  Result<DecisionHead> GetDecisionHead(std::string_view genesis) override {
    if (data_.decisions.empty()) return DecisionHead{0, std::string(genesis)};
    return DecisionHead{data_.decisions.size(), data_.decisions.back().hash};
  }

  Result<std::vector<Decision>> Decisions(std::uint64_t from_seq, std::size_t limit) override {
    std::vector<Decision> page;
    for (std::uint64_t seq = from_seq; seq < data_.decisions.size() && page.size() < limit; ++seq) {
      page.push_back(data_.decisions[seq]);
    }
    return page;
  }

  Result<std::optional<std::string>> GetValue(std::string_view key) override {
    const auto found = data_.values.find(key);
    if (found == data_.values.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::vector<const RunData*> ByNumber() const {
    std::vector<const RunData*> runs;
    for (const auto& [id, data] : data_.runs) runs.push_back(&data);
    std::ranges::sort(runs, {}, [](const RunData* data) { return data->run.number; });
    return runs;
  }

  Data data_;
  bool open_ = false;
};

}  // namespace

std::unique_ptr<Store> MakeMemoryStore() { return std::make_unique<MemoryStore>(); }

}  // namespace writ::storage

#include "storage/memory/memory_transaction.h"

#include <algorithm>

#include "storage/decision_log.h"
#include "storage/rules.h"

namespace writ::storage {

Result<RunData*> MemoryTransaction::Change(std::string_view id) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  RunData& data = found->second;
  std::vector<std::string> events = std::move(data.events);  // there may be many, and a change only appends
  RunData before = data;
  data.events = std::move(events);
  undo_.push_back([this, name = std::string(id), before = std::move(before), count = data.events.size()] {
    RunData& back = data_.runs.find(name)->second;
    std::vector<std::string> kept = std::move(back.events);
    back = before;
    back.events = std::move(kept);
    back.events.resize(count);
  });
  return &data;
}

Result<> MemoryTransaction::CreateRun(const NewRun& run) {
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

Result<> MemoryTransaction::SetContract(std::string_view id, std::string_view text, std::string_view contract_hash) {
  RunData& data = *WRIT_TRY("store contract", Change(id));
  WRIT_TRY("store contract", CheckContract(id, data.State(), contract_hash));
  data.run.contract = text;
  data.run.head = contract_hash;
  return {};
}

Result<> MemoryTransaction::SetReceipt(std::string_view id, std::string_view text, std::string_view events_head,
                                       RunStatus status, WallTime now) {
  RunData& data = *WRIT_TRY("store receipt", Change(id));
  WRIT_TRY("store receipt", CheckReceipt(id, data.State(), events_head, status));
  data.run.receipt = text;
  data.run.status = status;
  data.run.updated = now;
  data.End();
  return {};
}

Result<> MemoryTransaction::SetStatus(std::string_view id, RunStatus status, WallTime now) {
  RunData& data = *WRIT_TRY("set status", Change(id));
  WRIT_TRY("set status", CheckStatus(id, data.State()));
  data.run.status = status;
  data.run.updated = now;
  if (IsTerminal(status)) data.End();
  return {};
}

Result<> MemoryTransaction::SetSummary(std::string_view id, std::string_view summary) {
  WRIT_TRY("set summary", Change(id))->run.summary = summary;
  return {};
}

Result<> MemoryTransaction::AddArtifact(std::string_view id, const Artifact& artifact) {
  WRIT_TRY("add artifact", CheckArtifact(id, artifact));
  RunData& data = *WRIT_TRY("add artifact", Change(id));
  const bool taken = std::ranges::any_of(data.artifacts, [&](const Artifact& other) {
    return other.kind == artifact.kind && other.name == artifact.name;
  });
  if (taken) return Fail(Code::kInvalid, "run {} has an artifact of that kind and name already", id);
  data.artifacts.push_back(artifact);
  return {};
}

Result<> MemoryTransaction::DeleteRun(std::string_view id) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  undo_.push_back([this, name = std::string(id), kept = found->second] { data_.runs.insert_or_assign(name, kept); });
  data_.runs.erase(found);
  return {};
}

Result<DecisionHead> MemoryTransaction::AppendDecision(std::string_view genesis, const NewDecision& decision) {
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

Result<> MemoryTransaction::PutValue(std::string_view key, std::string_view value) {
  const auto found = data_.values.find(key);
  if (found == data_.values.end()) {
    undo_.push_back([this, name = std::string(key)] { data_.values.erase(name); });
  } else {
    undo_.push_back([this, name = std::string(key), before = found->second] { data_.values[name] = before; });
  }
  data_.values.insert_or_assign(std::string(key), std::string(value));
  return {};
}

}  // namespace writ::storage

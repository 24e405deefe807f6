#include "runner/local_runs.h"

#include <chrono>

#include "contract/hash.h"
#include "session/end_run.h"
#include "session/run_facts.h"
#include "storage/sqlite/open.h"

namespace writ::runner {
namespace {

using canon::Json;

constexpr std::size_t kIdleStoresMax = 16;
constexpr std::string_view kCarriedDocument = "carried";
constexpr std::chrono::hours kRemembered{2};  // twice the life of a contract

std::string SummaryOf(const std::string& token) { return canon::Compact(Json::Of({{"claimToken", token}})); }

std::string TextOrNone(const Json& json, std::string_view name) {
  const std::string* text = json.FindString(name);
  return text == nullptr ? std::string() : *text;
}

}  // namespace

Result<std::unique_ptr<LocalRuns>> LocalRuns::Open(const std::string& directory, const Clock& clock) {
  auto state = WRIT_TRY("runner directory", storage::StateDir::Open(directory, storage::StateAccess::kWrite));
  auto lock = WRIT_TRY("runner directory", storage::RunLock::TryTake(state, "runner"));
  if (!lock) return Fail(Code::kUnavailable, "another runner works in {}; give each a directory of its own", directory);
  return std::unique_ptr<LocalRuns>(new LocalRuns(std::move(state), *std::move(lock), clock));
}

LocalRuns::Lease::~Lease() {
  if (!store_) return;
  const std::lock_guard hold(from_->mutex_);
  if (from_->idle_.size() < kIdleStoresMax) from_->idle_.push_back(std::move(store_));
}

Result<LocalRuns::Lease> LocalRuns::Store() {
  {
    const std::lock_guard hold(mutex_);
    if (!idle_.empty()) {
      auto store = std::move(idle_.back());
      idle_.pop_back();
      return Lease(*this, std::move(store));
    }
  }
  return Lease(*this, WRIT_TRY("runner store", storage::OpenSqliteStore(directory_)));
}

Result<> LocalRuns::Record(storage::Store& store, const Claim& claim, const std::string& contract_hash) {
  const auto known = store.GetRun(claim.run_id);
  if (!known && known.error().code != Code::kNotFound) return std::unexpected(known.error());
  if (known && storage::IsTerminal(known->status))
    return Fail(Code::kDenied, "claim of run {}: this runner ended it already; the claim is a replay", claim.run_id);
  if (known && known->event_count >= claim.events.size())
    return Fail(Code::kDenied, "claim of run {}: this runner is at it already; the claim is a replay", claim.run_id);
  const auto transaction = WRIT_TRY("record claim", store.Begin());
  if (known) WRIT_TRY("record claim", transaction->DeleteRun(claim.run_id));  // an earlier attempt, taken back by the plane
  const WallTime now = clock_.Now();
  WRIT_TRY("record claim", transaction->CreateRun({.id = claim.run_id,
                                                   .status = storage::RunStatus::kCreated,
                                                   .created = now,
                                                   .summary = SummaryOf(claim.token)}));
  WRIT_TRY("record claim", transaction->SetContract(claim.run_id, canon::Compact(claim.contract), contract_hash));
  std::uint64_t seq = 0;
  for (const Json& entry : claim.events) {
    const std::string text = canon::Compact(entry), prev = TextOrNone(entry, "prev"), hash = TextOrNone(entry, "hash");
    WRIT_TRY("record claim", transaction->AppendEvent(claim.run_id, {.seq = seq++, .prev = prev, .hash = hash, .text = text}));
  }
  WRIT_TRY("record claim", transaction->SetStatus(claim.run_id, storage::RunStatus::kClaimed, now));
  return transaction->Commit(storage::Durability::kBuffered);
}

Result<> LocalRuns::Renew(storage::Store& store, const std::string& run_id, const std::string& token) {
  const auto transaction = WRIT_TRY("renew claim", store.Begin());
  WRIT_TRY("renew claim", transaction->SetSummary(run_id, SummaryOf(token)));
  return transaction->Commit(storage::Durability::kBuffered);
}

Result<> LocalRuns::KeepCarried(storage::Transaction& transaction, const std::string& run_id, const std::string& carried) {
  if (carried.empty()) return {};
  return transaction.PutDocument(run_id, kCarriedDocument, carried);
}

Result<> LocalRuns::SetReceipt(storage::Store& store, const session::EventLog& log, const Json& receipt) {
  const auto carried = WRIT_TRY("store receipt", store.GetDocument(log.run_id(), kCarriedDocument));
  const auto transaction = WRIT_TRY("store receipt", store.Begin());
  if (carried) WRIT_TRY("store receipt", transaction->PutDocument(log.run_id(), kCarriedDocument, ""));  // the plane has it
  WRIT_TRY("store receipt", transaction->SetSummary(log.run_id(), "{}"));  // the token is spent
  WRIT_TRY("store receipt",
           transaction->SetReceipt(log.run_id(), canon::Compact(receipt), log.facts().chain.head(),
                                   session::StatusOfTerminal(log.facts().terminal), clock_.Now()));
  return transaction->Commit(storage::Durability::kBuffered);
}

Result<> LocalRuns::Forget(storage::Store& store, const std::string& run_id) {
  const auto transaction = WRIT_TRY("forget run", store.Begin());
  WRIT_TRY("forget run", transaction->DeleteRun(run_id));
  return transaction->Commit(storage::Durability::kBuffered);
}

Result<std::vector<LocalRuns::Orphan>> LocalRuns::Orphans(storage::Store& store) {
  std::vector<Orphan> orphans;
  const auto ids = WRIT_TRY("unfinished runs", store.Unfinished());
  for (const auto& id : ids) {
    Orphan orphan;
    orphan.run = WRIT_TRY("unfinished run", store.GetRun(id));
    if (!orphan.run.contract) continue;
    auto contract = canon::Parse(*orphan.run.contract, canon::Mode::kWire);
    const auto summary = canon::Parse(orphan.run.summary, canon::Mode::kWire);
    if (!contract || !summary) return Fail(Code::kCorrupt, "run {} in the runner's store is not JSON", id);
    orphan.claim.run_id = id;
    orphan.claim.token = TextOrNone(*summary, "claimToken");
    orphan.claim.contract = *std::move(contract);
    orphan.contract_hash = WRIT_TRY("unfinished run", contract::HashUnsigned(orphan.claim.contract));
    orphan.carried = WRIT_TRY("unfinished run", store.GetDocument(id, kCarriedDocument)).value_or("");
    orphans.push_back(std::move(orphan));
  }
  return orphans;
}

Result<> LocalRuns::Prune(storage::Store& store) {
  const auto old = WRIT_TRY("prune", store.GcCandidates(clock_.Now() - kRemembered, 0));
  if (old.empty()) return {};
  const auto transaction = WRIT_TRY("prune", store.Begin());
  for (const auto& id : old) WRIT_TRY("prune", transaction->DeleteRun(id));
  return transaction->Commit(storage::Durability::kBuffered);
}

}  // namespace writ::runner

#include "plane/core.h"

#include <algorithm>

#include "contract/contract.h"
#include "crypto/digest.h"
#include "plane/parked_run.h"

namespace writ::plane {
namespace {

using canon::Json;

constexpr std::string_view kStopDocument = "stop";
constexpr std::size_t kPage = 256;

/// When a run that expires at `expires` is ended, by the monotonic clock.
MonoTime EndOf(WallTime expires, WallTime now, MonoTime mono) {
  return mono + std::max(expires - now, Millis{0});
}

Result<> RestoreParked(Core& core) {
  std::optional<std::uint64_t> before;
  for (;;) {
    const auto rows = WRIT_TRY("read runs", core.store.RunsWithStatus(storage::RunStatus::kAwaitingApproval, kPage, before));
    for (const auto& row : rows) {
      before = row.number;
      ParkedNote note{.principal = "", .bytes = 0, .ends = WallTime::max()};
      const auto proposal = WRIT_TRY("read runs", core.store.GetDocument(row.id, kProposalDocument));
      if (proposal) note.bytes = proposal->size();
      const auto question = ReadQuestion(core.store, row.id);
      if (question) {
        note.principal = question->requester_principal;
        // What another policy asked is ended at once.
        note.ends = question->policy_hash == core.policy.hash ? EndOf(*question) : WallTime::min();
      } else {  // one that cannot be read must not keep the others from being served
        core.log(fmt::format("run {} waits for consent and cannot be judged: {}", row.id, question.error().what));
      }
      core.parked.Add(row.id, std::move(note));
    }
    if (rows.size() < kPage) return {};
  }
}

}  // namespace

PlaneKeys MakePlaneKeys(crypto::PrivateKey plane, crypto::PrivateKey keeper) {
  std::string plane_pem = plane.public_key().Pem(), keeper_pem = keeper.public_key().Pem();
  std::string genesis = crypto::Sha256Hex(plane_pem);
  return {std::move(plane), std::move(keeper), std::move(plane_pem), std::move(keeper_pem), std::move(genesis)};
}

Result<> QueueRun(Core& core, Change& change, std::string_view run_id, const Json& contract, std::string_view tenant) {
  const auto decoded = WRIT_TRY("queue run", contract::DecodeContract(contract));
  WaitingRun waiting;
  waiting.id = run_id;
  waiting.pool = decoded.pool;
  waiting.needs = NeedsOf(contract, tenant, core.settings.isolation_tiers);
  waiting.expires = decoded.expires_at;
  waiting.ends_at = EndOf(decoded.expires_at, change.now(), change.mono());
  WRIT_TRY("queue run",
           change->Enqueue(run_id, {.pool = waiting.pool, .needs = ToText(waiting.needs), .expires = waiting.expires}));
  waiting.number = WRIT_TRY("queue run", core.store.GetRun(run_id)).number;
  session::Reach(core.fault, fault::kContractStored);
  change.OnUndo([&core, id = waiting.id] { core.queue.Take(id); });
  const std::string pool = waiting.pool;
  core.queue.Add(std::move(waiting));
  core.queued(pool);
  return {};
}

void DropFromQueue(Core& core, Change& change, std::string_view run_id) {
  auto taken = core.queue.Take(run_id);
  if (!taken) return;
  change.OnUndo([&core, run = *std::move(taken)] { core.queue.Add(run); });
}

Result<> AskToStop(Core& core, Change& change, std::string_view run_id, std::string_view reason) {
  HeldRun* held = core.leases.Find(run_id);
  if (held == nullptr) return Fail(Code::kInvalid, "nobody holds run {}", run_id);
  WRIT_TRY("stop run", change->PutDocument(run_id, kStopDocument, reason));
  change.AfterCommit([&core, id = std::string(run_id), why = std::string(reason)] {
    if (HeldRun* now_held = core.leases.Find(id)) now_held->stop = why;
  });
  return {};
}

void HoldRun(Core& core, Change& change, std::string_view run_id, HeldRun held) {
  change.OnUndo([&core, id = std::string(run_id)] { core.leases.Remove(id); });
  core.leases.Add(run_id, std::move(held));
}

void ReleaseRun(Core& core, Change& change, std::string_view run_id) {
  auto held = core.leases.Remove(run_id);
  if (!held) return;
  change.OnUndo([&core, id = std::string(run_id), back = *std::move(held)] { core.leases.Add(id, back); });
}

void NoteParked(Core& core, Change& change, std::string_view run_id, ParkedNote note) {
  change.OnUndo([&core, id = std::string(run_id)] { core.parked.Remove(id); });
  core.parked.Add(run_id, std::move(note));
}

void ForgetParked(Core& core, Change& change, std::string_view run_id) {
  auto note = core.parked.Remove(run_id);
  if (!note) return;
  change.OnUndo([&core, id = std::string(run_id), back = *std::move(note)] { core.parked.Add(id, back); });
}

Result<> Restore(Core& core) {
  const WallTime now = core.clock.Now();
  const MonoTime mono = core.clock.Mono();
  for (const auto status : {storage::RunStatus::kClaimed, storage::RunStatus::kRunning}) {
    std::optional<std::uint64_t> before;
    for (;;) {
      const auto rows = WRIT_TRY("read runs", core.store.RunsWithStatus(status, kPage, before));
      for (const auto& row : rows) {
        before = row.number;
        const auto lease = WRIT_TRY("read leases", core.store.GetLease(row.id));
        if (!lease) continue;
        auto stop = WRIT_TRY("read leases", core.store.GetDocument(row.id, kStopDocument));
        core.leases.Add(row.id, {.runner_id = lease->runner_id,
                                 .claim_id = lease->claim_id,
                                 .attempt = lease->attempt,
                                 .renewable = lease->renewable,
                                 .ends_at = mono + (lease->renewable ? core.settings.lease : core.settings.old_lease),
                                 .stop = std::move(stop)});
      }
      if (rows.size() < kPage) break;
    }
  }
  WRIT_TRY("read runs that wait for consent", RestoreParked(core));
  // Every waiting run, of whatever pool: they are those that will have expired by the end of time.
  const auto waiting = WRIT_TRY("read queue", core.store.ExpiredQueue(WallTime::max(), SIZE_MAX));
  for (const auto& queued : waiting)
    core.queue.Add({.id = queued.id,
                    .number = queued.number,
                    .attempts = queued.attempts,
                    .pool = queued.entry.pool,
                    .needs = NeedsFromText(queued.entry.needs),
                    .expires = queued.entry.expires,
                    .ends_at = EndOf(queued.entry.expires, now, mono)});
  return {};
}

}  // namespace writ::plane

#include <algorithm>
#include <tuple>

#include "storage/event_page.h"
#include "storage/memory/memory_reads.h"

namespace writ::storage {
namespace {

template <class Rows>
void Cut(Rows& rows, std::size_t limit) {
  if (rows.size() > limit) rows.resize(limit);
}

template <class Row, class Key>
std::optional<Row> Find(const std::vector<Row>& rows, std::string_view key, Key key_of) {
  const auto found = std::ranges::find(rows, key, key_of);
  if (found == rows.end()) return std::nullopt;
  return *found;
}

bool Waits(const RunData& data) { return data.queued && data.place.waiting; }

QueuedRun QueuedOf(const RunData& data) {
  return {data.run.id, data.run.number, data.place.attempts, *data.queued};
}

}  // namespace

Result<std::optional<std::string>> MemoryStore::GetDocument(std::string_view id, std::string_view kind) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  const RunData& data = found->second;
  if (kind == "contract") return data.run.contract;
  if (kind == "receipt") return data.run.receipt;
  const auto document = data.documents.find(kind);
  if (document == data.documents.end()) return std::nullopt;
  return document->second;
}

Result<std::vector<QueuedRun>> MemoryStore::Queued(std::string_view pool, std::size_t limit,
                                                   std::uint64_t after_number) {
  std::vector<QueuedRun> queued;
  for (const RunData* data : ByNumber()) {
    if (queued.size() >= limit) break;
    if (Waits(*data) && data->queued->pool == pool && data->run.number > after_number) {
      queued.push_back(QueuedOf(*data));
    }
  }
  return queued;
}

Result<std::vector<QueuedRun>> MemoryStore::ExpiredQueue(WallTime now, std::size_t limit) {
  std::vector<QueuedRun> queued;
  for (const auto& [id, data] : data_.runs) {
    if (Waits(data) && data.queued->expires <= now) queued.push_back(QueuedOf(data));
  }
  std::ranges::sort(queued, {}, [](const QueuedRun& run) { return std::tuple(run.entry.expires, run.number); });
  Cut(queued, limit);
  return queued;
}

Result<std::optional<WallTime>> MemoryStore::NextQueueEnd() {
  std::optional<WallTime> next;
  for (const auto& [id, data] : data_.runs) {
    if (Waits(data)) next = std::min(next.value_or(data.queued->expires), data.queued->expires);
  }
  return next;
}

Result<std::optional<Lease>> MemoryStore::GetLease(std::string_view id) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  return found->second.lease;
}

Result<std::vector<LeasedRun>> MemoryStore::ExpiredLeases(WallTime now, std::size_t limit) {
  std::vector<const RunData*> ended = ByNumber();
  std::erase_if(ended, [now](const RunData* data) { return !data->lease || data->lease->until > now; });
  std::ranges::sort(ended, {}, [](const RunData* data) { return std::tuple(data->lease->until, data->run.number); });
  Cut(ended, limit);
  std::vector<LeasedRun> leased;
  for (const RunData* data : ended) leased.push_back({data->run.id, *data->lease});
  return leased;
}

Result<std::optional<WallTime>> MemoryStore::NextLeaseEnd() {
  std::optional<WallTime> next;
  for (const auto& [id, data] : data_.runs) {
    if (data.lease) next = std::min(next.value_or(data.lease->until), data.lease->until);
  }
  return next;
}

Result<std::optional<Principal>> MemoryStore::FindPrincipalByToken(std::string_view token_hash) {
  const auto found = std::ranges::find(data_.principals, token_hash, &Principal::token_hash);
  if (found == data_.principals.end() || found->revoked) return std::nullopt;
  return *found;
}

Result<std::optional<Principal>> MemoryStore::FindPrincipal(std::string_view name) {
  return Find(data_.principals, name, &Principal::name);
}

Result<std::vector<Principal>> MemoryStore::Principals() { return data_.principals; }

Result<std::optional<Runner>> MemoryStore::FindRunnerByToken(std::string_view token_hash) {
  return Find(data_.runners, token_hash, &Runner::token_hash);
}

Result<std::optional<Runner>> MemoryStore::FindRunner(std::string_view id) {
  return Find(data_.runners, id, &Runner::id);
}

Result<std::vector<Runner>> MemoryStore::Runners() { return data_.runners; }

Result<std::vector<Approval>> MemoryStore::Approvals(std::string_view id) {
  const auto found = data_.runs.find(id);
  if (found == data_.runs.end()) return NoSuchRun(id);
  return found->second.approvals;
}

Result<std::optional<Idempotent>> MemoryStore::GetIdempotent(std::string_view scope, std::string_view key) {
  const auto found = data_.idempotent.find({std::string(scope), std::string(key)});
  if (found == data_.idempotent.end()) return std::nullopt;
  return found->second;
}

Result<std::vector<Run>> MemoryStore::RunsWithStatus(RunStatus status, std::size_t limit,
                                                     std::optional<std::uint64_t> before) {
  auto runs = ListRuns(SIZE_MAX, before);
  if (!runs) return runs;
  std::erase_if(*runs, [status](const Run& run) { return run.status != status; });
  Cut(*runs, limit);
  return runs;
}

Result<std::vector<std::string>> MemoryStore::Retirable(WallTime older_than, std::size_t limit) {
  std::vector<const RunData*> ended = ByNumber();
  std::erase_if(ended, [older_than](const RunData* data) {
    return !IsTerminal(data->run.status) || data->run.updated >= older_than;
  });
  std::ranges::sort(ended, {}, [](const RunData* data) { return std::tuple(data->run.updated, data->run.number); });
  Cut(ended, limit);
  std::vector<std::string> ids;
  for (const RunData* data : ended) ids.push_back(data->run.id);
  return ids;
}

Result<EventPage> MemoryStore::EventsAfter(std::string_view since, const EventCursor& from, std::size_t limit) {
  EventPageBuilder page(since, limit);
  if (page.Full()) return std::move(page).More(from);
  for (auto run = data_.runs.lower_bound(from.run_id); run != data_.runs.end(); ++run) {
    const auto& [id, data] = *run;
    std::uint64_t seq = id == from.run_id ? from.seq : 0;
    if (page.Full()) return std::move(page).More({id, seq});
    page.LookAtRun();
    if (page.Passes(data.last_ts)) continue;
    for (; seq < data.events.size(); ++seq) {
      if (page.Full()) return std::move(page).More({id, seq});
      page.Offer(id, seq, data.events[seq]);
    }
  }
  return std::move(page).Done();
}

}  // namespace writ::storage

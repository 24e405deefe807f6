#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "storage/rules.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/open.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/sqlite_store.h"
#include "storage/sqlite/transaction.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

constexpr const char* kDatabaseName = "writ.db";
/// Pages in the log that are worth the syncs of moving them when there is nothing else to do.
constexpr int kTidyPages = 500;

/// The rows of a statement that selects ids.
Result<std::vector<std::string>> Ids(Statement list) {
  std::vector<std::string> ids;
  while (WRIT_TRY("list runs", list.Step())) ids.push_back(list.Text(0));
  return ids;
}

}  // namespace

Result<std::unique_ptr<Transaction>> SqliteStore::Begin() {
  if (read_only_) return Fail(Code::kDenied, "{} was opened for reading only", connection_->path());
  if (open_) return Fail(Code::kInternal, "this store has a transaction already");
  return SqliteTransaction::Begin(*connection_, open_);
}

Result<Run> SqliteStore::GetRun(std::string_view id) {
  RunRow row = WRIT_TRY("read run", FindRun(*connection_, id));
  Run run{.id = std::string(id),
          .status = row.status,
          .number = static_cast<std::uint64_t>(row.number),
          .created = row.created,
          .updated = row.updated,
          .summary = std::move(row.summary),
          .contract = {},
          .receipt = {},
          .head = std::move(row.head),
          .event_count = row.event_count};
  run.contract = WRIT_TRY("read run", FindDocument(*connection_, row.number, kContractDocument));
  run.receipt = WRIT_TRY("read run", FindDocument(*connection_, row.number, kReceiptDocument));
  return run;
}

Result<std::string> SqliteStore::ResolveRun(std::string_view prefix) {
  if (!IsRunId(prefix)) return NoSuchRun(prefix);
  const IdRange bare = IdsWithPrefix(prefix), full = IdsWithPrefix(fmt::format("run_{}", prefix));
  Statement find = WRIT_TRY(
      "find run", connection_->Prepare(
                      "SELECT id FROM runs WHERE (id >= ? AND id < ?) OR (id >= ? AND id < ?) ORDER BY id LIMIT ?"));
  find.Bind(bare.first).Bind(bare.end).Bind(full.first).Bind(full.end).Bind(std::int64_t{kCandidatesMax + 1});
  std::vector<std::string> found;
  while (WRIT_TRY("find run", find.Step())) found.push_back(find.Text(0));
  return PickRun(prefix, found);
}

Result<std::vector<Run>> SqliteStore::ListRuns(std::size_t limit, std::optional<std::uint64_t> before) {
  Statement list =
      WRIT_TRY("list runs",
               connection_->Prepare(
                   "SELECT id, status, number, created, updated, summary, head, events FROM runs WHERE number < ? "
                   "ORDER BY number DESC LIMIT ?"));
  list.Bind(Clamp(before.value_or(INT64_MAX))).Bind(Clamp(limit));
  return ReadRuns(*connection_, std::move(list));
}

Result<std::vector<Run>> ReadRuns(Connection& connection, Statement list) {
  std::vector<Run> runs;
  while (WRIT_TRY("list runs", list.Step())) {
    const auto status = RunStatusFromName(list.Text(1));
    if (!status) return Fail(Code::kCorrupt, "{}: run {} has an unknown status", connection.path(), list.Text(0));
    runs.push_back({.id = list.Text(0),
                    .status = *status,
                    .number = list.Count(2),
                    .created = list.Time(3),
                    .updated = list.Time(4),
                    .summary = list.Text(5),
                    .contract = {},
                    .receipt = {},
                    .head = list.Text(6),
                    .event_count = list.Count(7)});
  }
  return runs;
}

Result<std::vector<std::string>> SqliteStore::Events(std::string_view id, std::uint64_t from_seq, std::size_t limit) {
  const RunRow row = WRIT_TRY("read events", FindRun(*connection_, id));
  Statement list = WRIT_TRY(
      "read events",
      connection_->Prepare("SELECT text FROM events WHERE place >= ? AND place < ? ORDER BY place LIMIT ?"));
  list.Bind(EventPlace(row.number, from_seq)).Bind(EventPlace(row.number + 1, 0)).Bind(Clamp(limit));
  std::vector<std::string> texts;
  while (WRIT_TRY("read events", list.Step())) texts.push_back(list.Text(0));
  return texts;
}

Result<std::vector<Artifact>> SqliteStore::Artifacts(std::string_view id) {
  const RunRow row = WRIT_TRY("read artifacts", FindRun(*connection_, id));
  Statement list =
      WRIT_TRY("read artifacts",
               connection_->Prepare("SELECT kind, name, hash, bytes FROM artifacts WHERE run = ? ORDER BY position"));
  list.Bind(row.number);
  std::vector<Artifact> artifacts;
  while (WRIT_TRY("read artifacts", list.Step())) {
    artifacts.push_back({list.Text(0), list.Text(1), list.Text(2), list.Count(3)});
  }
  return artifacts;
}

Result<std::vector<std::string>> SqliteStore::Unfinished() {
  return Ids(WRIT_TRY("find unfinished runs",
                      connection_->Prepare("SELECT id FROM runs WHERE unfinished = 1 ORDER BY number")));
}

Result<std::vector<std::string>> SqliteStore::GcCandidates(WallTime older_than, std::size_t keep_last) {
  Statement list =
      WRIT_TRY("find old runs",
               connection_->Prepare(
                   "SELECT id FROM runs WHERE status IN ('completed', 'failed', 'cancelled') AND unfinished = 0 AND "
                   "updated < ? "
                   "AND number <= (SELECT number FROM runs ORDER BY number DESC LIMIT 1 OFFSET ?) ORDER BY number"));
  list.Bind(older_than).Bind(Clamp(keep_last));
  return Ids(std::move(list));
}

Result<bool> SqliteStore::BlobInUse(std::string_view hash) {
  Statement find = WRIT_TRY("look for blob", connection_->Prepare("SELECT 1 FROM artifacts WHERE hash = ? LIMIT 1"));
  return find.Bind(hash).Step();
}

Result<DecisionHead> SqliteStore::GetDecisionHead(std::string_view genesis) {
  return FindDecisionHead(*connection_, genesis);
}

Result<std::vector<Decision>> SqliteStore::Decisions(std::uint64_t from_seq, std::size_t limit) {
  Statement list = WRIT_TRY(
      "read decisions",
      connection_->Prepare("SELECT seq, kind, run, hash, text FROM decisions WHERE seq >= ? ORDER BY seq LIMIT ?"));
  list.Bind(Clamp(from_seq)).Bind(Clamp(limit));
  std::vector<Decision> page;
  while (WRIT_TRY("read decisions", list.Step())) {
    const auto kind = DecisionKindFromName(list.Text(1));
    if (!kind) return Fail(Code::kCorrupt, "decision log broken at seq {}: unknown kind", list.Count(0));
    page.push_back({list.Count(0), *kind, list.Text(2), list.Text(3), list.Text(4)});
  }
  return page;
}

Result<std::optional<std::string>> SqliteStore::GetValue(std::string_view key) {
  Statement find = WRIT_TRY("read value", connection_->Prepare("SELECT value FROM stored_values WHERE key = ?"));
  const bool row = WRIT_TRY("read value", find.Bind(key).Step());
  if (!row) return std::nullopt;
  return find.Text(0);
}

bool SqliteStore::Tidy() { return !open_ && connection_->Checkpoint(kTidyPages); }

namespace {

/// Makes the file with mode 0600 when there is none. An existing one is only looked at: opening and closing it here
/// would drop the locks that another Store of this process holds on it (fcntl(2), "POSIX record locks").
Result<> EnsureFile(const StateDir& state) {
  struct stat status{};
  if (::fstatat(state.fd(), kDatabaseName, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISREG(status.st_mode)) return {};
    return Fail(Code::kDenied, "{} is no regular file", state.File(kDatabaseName));
  }
  if (errno != ENOENT) return FailErrno(state.File(kDatabaseName));
  if (state.access() == StateAccess::kRead)
    return Fail(Code::kNotFound, "{} does not exist", state.File(kDatabaseName));
  const sys::UniqueFd made(
      ::openat(state.fd(), kDatabaseName, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (made.valid()) return sys::SyncFd(state.fd());
  if (errno == EEXIST) return {};  // another process was faster
  return FailErrno(fmt::format("make {}", state.File(kDatabaseName)));
}

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const StateDir& state, const SqliteOptions& options) {
  WRIT_TRY("open store", EnsureFile(state));
  const bool read_only = state.access() == StateAccess::kRead;
  auto connection = WRIT_TRY("open store", Connection::Open({.path = state.File(kDatabaseName),
                                                             .read_only = read_only,
                                                             .busy_timeout = options.busy_timeout,
                                                             .vfs = options.vfs}));
  WRIT_TRY("open store", read_only ? CheckSchema(*connection) : Migrate(*connection, options.busy_timeout));
  return std::make_unique<SqliteStore>(std::move(connection), read_only, options.checkpoint_pages);
}

}  // namespace writ::storage

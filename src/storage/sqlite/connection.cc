#include "storage/sqlite/connection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace writ::storage {
namespace {

/// The text to bind for an empty view: a null pointer would bind NULL.
const char* DataOf(std::string_view text) { return text.data() == nullptr ? "" : text.data(); }

std::string_view Doing(const char* sql) { return std::string_view(sql).substr(0, std::string_view(sql).find(' ')); }

}  // namespace

Statement::~Statement() {
  if (handle_ == nullptr) return;
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

Statement& Statement::Bind(std::string_view text) {
  // A failed binding (only possible for lack of memory or a wrong index) leaves NULL, which no column accepts.
  sqlite3_bind_text64(handle_, next_++, DataOf(text), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::Bind(std::int64_t number) {
  sqlite3_bind_int64(handle_, next_++, number);
  return *this;
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(connection_->Failure(code, Doing(sqlite3_sql(handle_))));
}

void Statement::Again() {
  sqlite3_reset(handle_);
  next_ = 1;
}

Result<> Statement::Run() {
  const auto row = Step();
  if (!row) return std::unexpected(row.error());
  return {};
}

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

std::optional<std::string> Statement::OptionalText(int column) const {
  if (sqlite3_column_type(handle_, column) == SQLITE_NULL) return std::nullopt;
  return Text(column);
}

std::int64_t Statement::Number(int column) const { return sqlite3_column_int64(handle_, column); }

Connection::Connection(sqlite3* handle, Options options) : handle_(handle), options_(std::move(options)) {
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, static_cast<int>(options_.busy_timeout.count()));
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  // Closing would checkpoint, sync twice and delete the log: 2 ms at the end of every short command.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_wal_hook(
      handle_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Connection*>(self)->log_pages_ = pages;
        return SQLITE_OK;
      },
      this);
}

Result<std::unique_ptr<Connection>> Connection::Open(Options options) {
  sqlite3* handle = nullptr;
  const int access = options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int code = sqlite3_open_v2(options.path.c_str(), &handle, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (handle == nullptr) return Fail(Code::kExhausted, "open {}: out of memory", options.path);
  std::unique_ptr<Connection> connection(new Connection(handle, std::move(options)));
  if (code != SQLITE_OK) return std::unexpected(connection->Failure(code, "open"));
  // SQLite also syncs the directory at the first sync of each connection, 50 us that a short command need not pay:
  // the entry of a log that is there already was made durable before the tables were (Migrate).
  if (connection->options_.vfs.empty() && !connection->options_.read_only) {
    connection->log_ = sys::UniqueFd(::open((connection->path() + "-wal").c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  }
  // The log is synced by SyncLog where a commit must be durable, and by every checkpoint.
  WRIT_TRY("open",
           connection->Execute("PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; "
                               "PRAGMA journal_size_limit=33554432"));
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Result<Statement> Connection::Prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) {
      statements_.erase(sql);
      return std::unexpected(Failure(code, Doing(sql)));
    }
  }
  return Statement(*this, statement);
}

Result<> Connection::Execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(Failure(code, Doing(sql)));
  return {};
}

Result<std::int64_t> Connection::Query(const char* sql) {
  Statement statement = WRIT_TRY("read", Prepare(sql));
  const bool row = WRIT_TRY("read", statement.Step());
  return row ? statement.Number(0) : 0;
}

Result<> Connection::SyncLog() {
  struct stat status{};
  if (!log_.valid() || ::fstat(log_.get(), &status) != 0 || status.st_nlink == 0) return SyncLogAndEntry();
  if (::fdatasync(log_.get()) != 0) return FailErrno(fmt::format("sync {}-wal", options_.path));
  return {};
}

Result<> Connection::SyncCommit() {
  auto synced = SyncLog();
  if (synced) return {};
  doubt_ = Error{Code::kCorrupt, fmt::format("the disk has not kept what was written ({}); what was stored since its last good "
                                             "sync is in doubt: check the disk, then begin again", synced.error().what)};
  return std::unexpected(*doubt_);
}

Result<> Connection::SyncLogAndEntry() {
  sqlite3_file* log = nullptr;
  const int found = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (found != SQLITE_OK) return std::unexpected(Failure(found, "sync"));
  if (log == nullptr || log->pMethods == nullptr) return Fail(Code::kInternal, "sync {}: it has no log", options_.path);
  const int synced = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
  if (synced != SQLITE_OK) return std::unexpected(Failure(synced, "sync"));
  return {};
}

bool Connection::Checkpoint(int pages_min) {
  if (log_pages_ < pages_min || options_.read_only || in_transaction()) return false;
  // How much was copied is forgotten with the last connection, so a log that is only copied would be read and copied
  // again, whole, by every later command. So it is begun anew, which the first write after the copy does. The file
  // keeps its size: a sync after writing over old pages costs half of one that makes the file longer. While others use
  // the log it stays for one of them, and on an error it stays as it is.
  sqlite3_busy_timeout(handle_, 0);
  if (sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_RESTART, nullptr, nullptr) == SQLITE_OK) {
    sqlite3_exec(handle_, kSetApplicationId, nullptr, nullptr, nullptr);  // any write; this one changes nothing
  }
  sqlite3_busy_timeout(handle_, static_cast<int>(options_.busy_timeout.count()));
  log_pages_ = 0;
  return true;
}

Error Connection::Failure(int code, std::string_view doing) const {
  const auto error = [&](Code kind, std::string_view text) {
    return Error{kind, fmt::format("{} {}: {}", doing, options_.path, text)};
  };
  const int system_errno = sqlite3_system_errno(handle_);
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return error(Code::kUnavailable, fmt::format("another process has kept it locked for {} ms; try again",
                                                   options_.busy_timeout.count()));
    case SQLITE_FULL:
      return error(Code::kExhausted, "the disk is full; free some space (writ gc) and try again");
    case SQLITE_NOMEM:
      return error(Code::kExhausted, "out of memory");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return error(Code::kCorrupt,
                   fmt::format("the database is damaged ({}); restore it from a backup, or move it with its -wal and "
                               "-shm files away to begin with an empty one",
                               sqlite3_errstr(code)));
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return error(Code::kDenied, "it cannot be written (read-only file system or missing permission)");
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      if (system_errno == ENOSPC || system_errno == EDQUOT) {
        return error(Code::kExhausted, "the disk is full; free some space (writ gc) and try again");
      }
      if (system_errno == EROFS || system_errno == EACCES || system_errno == EPERM) {
        return error(Code::kDenied, "it cannot be written (read-only file system or missing permission)");
      }
      if (system_errno != 0) return ErrnoError(system_errno, fmt::format("{} {}", doing, options_.path));
      return error(Code::kInternal, sqlite3_errstr(code));
    default:
      return error(Code::kInternal, fmt::format("{} ({})", sqlite3_errmsg(handle_), code));
  }
}

}  // namespace writ::storage

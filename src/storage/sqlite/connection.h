#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "sys/unique_fd.h"

// Only for the files of this folder: sqlite3.h stays out of every other header.
namespace writ::storage {

/// Marks a database as one of Writ: "WRIT" in ASCII.
inline constexpr std::int64_t kApplicationId = 0x57524954;
inline constexpr const char* kSetApplicationId = "PRAGMA application_id = 0x57524954";

class Connection;

/// One use of a prepared statement. Destroying it resets the statement, so that it can be used again.
class Statement {
 public:
  Statement(Statement&& other) noexcept
      : connection_(other.connection_), handle_(std::exchange(other.handle_, nullptr)), next_(other.next_) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  /// Binds the next parameter, in order. Texts are borrowed until the statement is destroyed.
  Statement& Bind(std::string_view text);
  Statement& Bind(std::int64_t number);
  Statement& Bind(std::uint64_t number) { return Bind(static_cast<std::int64_t>(number)); }
  Statement& Bind(WallTime time) { return Bind(std::int64_t{time.time_since_epoch().count()}); }

  /// Advances to the next row; false at the end.
  Result<bool> Step();
  /// Makes a statement that was run ready for other values.
  void Again();
  /// Steps a statement that returns no rows.
  Result<> Run();

  std::string Text(int column) const;
  std::optional<std::string> OptionalText(int column) const;
  std::int64_t Number(int column) const;
  std::uint64_t Count(int column) const { return static_cast<std::uint64_t>(Number(column)); }
  WallTime Time(int column) const { return WallTime(Millis(Number(column))); }

 private:
  friend class Connection;
  Statement(Connection& connection, sqlite3_stmt* handle) : connection_(&connection), handle_(handle) {}
  Connection* connection_;
  sqlite3_stmt* handle_;
  int next_ = 1;
};

/// One open database and its prepared statements. One thread at a time; must not be used after fork.
class Connection {
 public:
  struct Options {
    std::string path;
    bool read_only = false;
    Millis busy_timeout{};
    std::string vfs;
  };
  static Result<std::unique_ptr<Connection>> Open(Options options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// `sql` must be a literal: statements are kept by its address.
  Result<Statement> Prepare(const char* sql);
  /// Runs statements without parameters and rows.
  Result<> Execute(const char* sql);
  /// The first column of the first row.
  Result<std::int64_t> Query(const char* sql);

  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  std::int64_t changes() const { return sqlite3_changes64(handle_); }

  /// Makes every commit so far survive a power cut: one sync of the write-ahead log.
  Result<> SyncLog();
  /// The same for a commit that somebody relies on. When it fails, what was committed can be read and may yet be lost, and
  /// no later sync would tell (fsync(2), "ERRORS"): kCorrupt, and `doubt` says so from then on.
  Result<> SyncCommit();
  const std::optional<Error>& doubt() const { return doubt_; }
  /// The same as SyncLog, and the log's directory entry too.
  Result<> SyncLogAndEntry();
  /// Moves committed pages from the log into the database, as far as no reader is in the way, once the log holds
  /// `pages_min` pages. Never waits. A failure leaves everything in the log.
  /// False when there was nothing to do.
  bool Checkpoint(int pages_min);

  /// The error that a result code stands for, with what the reader can do about it.
  Error Failure(int code, std::string_view doing) const;
  const std::string& path() const { return options_.path; }

 private:
  Connection(sqlite3* handle, Options options);
  sqlite3* handle_;
  Options options_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
  int log_pages_ = 0;
  std::optional<Error> doubt_;
  sys::UniqueFd log_;  ///< a descriptor of this object's own; SQLite holds no lock on that file
};

}  // namespace writ::storage

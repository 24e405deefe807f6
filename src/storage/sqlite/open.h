#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "storage/state_dir.h"
#include "storage/store.h"

namespace writ::storage {

struct SqliteOptions {
  Millis busy_timeout{5000};  ///< how long a write waits for other processes
  std::string vfs{};          ///< a registered SQLite VFS; "" is the system's
  /// Pages in the write-ahead log after which closing moves them into the database. The next opening reads the whole
  /// log (0.3 ms for this many), so it must not grow for long; moving costs two syncs, so it must not happen always.
  int checkpoint_pages = 200;
};

/// Opens `writ.db` of a state directory, making or migrating it when needed.
/// Errors: kCorrupt when it is damaged or no SQLite file; kUnavailable when a newer Writ made it or it stays locked;
/// kDenied on a read-only state opened for writing; kExhausted on a full disk.
Result<std::unique_ptr<Store>> OpenSqliteStore(const StateDir& state, const SqliteOptions& options = {});

}  // namespace writ::storage

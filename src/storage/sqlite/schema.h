#pragma once

#include "base/error.h"
#include "storage/sqlite/connection.h"

namespace writ::storage {

/// Number of the newest schema; `PRAGMA user_version` of a database that has it.
int SchemaVersion();

/// Brings a database that is open for writing to the newest schema; one read when it has it. Safe for processes that
/// do so at once. Errors: kUnavailable when a newer Writ has made it; kCorrupt when it belongs to another program.
Result<> Migrate(Connection& connection, Millis busy_timeout);
/// Errors: kUnavailable unless the schema is the newest: an older one has to be opened for writing once.
Result<> CheckSchema(Connection& connection);

}  // namespace writ::storage

#pragma once

#include <memory>

#include "base/error.h"
#include "storage/sqlite/connection.h"
#include "storage/store.h"

namespace writ::storage {

/// A row of the run table by its id. Errors: kNotFound; kCorrupt when the row says something impossible.
struct RunRow {
  std::int64_t number = 0;
  RunStatus status = RunStatus::kCreated;
  WallTime created{}, updated{};
  std::string summary, head;
  std::uint64_t event_count = 0;
};
Result<RunRow> FindRun(Connection& connection, std::string_view id);
/// The contract or receipt of a run.
Result<std::optional<std::string>> FindDocument(Connection& connection, std::int64_t run, std::string_view kind);
inline constexpr std::string_view kContractDocument = "contract", kReceiptDocument = "receipt";

Result<DecisionHead> FindDecisionHead(Connection& connection, std::string_view genesis);

/// Both are borrowed; `open` is true while the transaction lives.
Result<std::unique_ptr<Transaction>> BeginTransaction(Connection& connection, bool& open);

}  // namespace writ::storage

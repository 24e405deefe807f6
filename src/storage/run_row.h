#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

/// The rows that runs are made of.
namespace writ::storage {

/// States of a run as the wire names them. The last three are terminal.
enum class RunStatus : std::uint8_t {
  kCreated,
  kClaimed,
  kRunning,
  kAwaitingApproval,
  kCompleted,
  kFailed,
  kCancelled
};
std::string_view RunStatusName(RunStatus status);
std::optional<RunStatus> RunStatusFromName(std::string_view name);
constexpr bool IsTerminal(RunStatus status) { return status >= RunStatus::kCompleted; }

/// One row of the run table. Texts are returned byte for byte as they were stored.
struct Run {
  std::string id{};
  RunStatus status = RunStatus::kCreated;
  std::uint64_t number = 0;  ///< order of creation in this store; clocks play no part
  WallTime created{}, updated{};
  std::string summary{};  ///< JSON text for lists
  std::optional<std::string> contract{}, receipt{};
  std::string head{};  ///< hash of the last event, or the contract hash; "" without a contract
  std::uint64_t event_count = 0;
};

struct NewRun {
  std::string id{};  ///< [A-Za-z0-9_-]{1,128}
  RunStatus status = RunStatus::kCreated;
  WallTime created{};
  std::string summary = "{}";
};

/// One event of a run's chain, made by the layer above; the store checks `seq` and `prev` against its head.
struct NewEvent {
  std::uint64_t seq = 0;
  std::string_view prev{}, hash{};  ///< 64 lower-case hex characters
  std::string_view text{};          ///< stored verbatim
};

struct Artifact {
  std::string kind{};  ///< "diff", "log", "file", ...
  std::string name{};  ///< for people and `get`; unique per run and kind
  std::string hash{};  ///< of the blob
  std::uint64_t bytes = 0;
  bool operator==(const Artifact&) const = default;
};

}  // namespace writ::storage

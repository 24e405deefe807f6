#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/state_dir.h"
#include "sys/unique_fd.h"

namespace writ::storage {

/// Tells live runs from dead ones: the process that drives a run holds `runs/ID.lock` with an open-file-description
/// lock, which the kernel drops when that process ends, however it ends. The descriptor is close-on-exec, so no
/// child keeps the lock.
/// Source: fcntl(2), "Open file description locks".
class RunLock {
 public:
  /// Takes the lock of a run. Returns nullopt when somebody else holds it: the run is live.
  /// Errors: kInvalid for a malformed id.
  static Result<std::optional<RunLock>> TryTake(const StateDir& state, std::string_view run_id);
  /// Whether somebody holds the lock, without taking it.
  static Result<bool> IsHeld(const StateDir& state, std::string_view run_id);

  RunLock(RunLock&&) = default;
  RunLock& operator=(RunLock&&) = default;
  ~RunLock() = default;  ///< lets go; the file stays until Retire

  /// Removes the lock file of an ended run and lets go.
  Result<> Retire() &&;

 private:
  RunLock(sys::UniqueFd directory, std::string file, sys::UniqueFd fd)
      : directory_(std::move(directory)), file_(std::move(file)), fd_(std::move(fd)) {}
  sys::UniqueFd directory_;
  std::string file_;
  sys::UniqueFd fd_;
};

}  // namespace writ::storage

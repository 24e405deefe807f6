#pragma once

#include <memory>
#include <thread>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::session {

/// Hands the caller's stdin to a job without handing over the descriptor itself: through a directory a job could walk
/// out, to a terminal it could write, a file it could lock. A pipe is passed on as it is; everything else is copied
/// into a pipe by a thread, which ends when the job stops reading or this object is destroyed.
class StdinPump {
 public:
  /// `fd` is borrowed and must outlive the object. Errors: kInvalid when it is closed or a directory.
  static Result<std::unique_ptr<StdinPump>> Start(int fd);
  ~StdinPump();
  StdinPump(const StdinPump&) = delete;
  StdinPump& operator=(const StdinPump&) = delete;

  /// What the job reads; given away once.
  sys::UniqueFd TakeReadEnd() { return std::move(read_end_); }

 private:
  StdinPump() = default;
  sys::UniqueFd read_end_;
  sys::UniqueFd stop_;  ///< an eventfd that wakes the thread
  std::thread thread_;
};

}  // namespace writ::session

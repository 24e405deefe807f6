#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::egress {

/// An empty or filled kernel pipe that carries bytes between two sockets without copying them.
struct Pipe {
  sys::UniqueFd read, write;
};

/// Keeps a few empty pipes for the next tunnel that moves bulk; an idle tunnel has none. Not thread-safe.
class PipePool {
 public:
  /// Errors: kExhausted when the process has no descriptors left.
  Result<std::unique_ptr<Pipe>> Take();
  /// Precondition: the pipe is empty.
  void GiveBack(std::unique_ptr<Pipe> pipe);
  std::size_t idle_count() const { return idle_.size(); }

  static constexpr std::size_t kIdleMax = 32;
  static constexpr int kPipeBytes = 512 << 10;  ///< asked for; the kernel may give less

 private:
  std::vector<std::unique_ptr<Pipe>> idle_;
};

}  // namespace writ::egress

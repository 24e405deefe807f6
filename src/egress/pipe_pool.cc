#include "egress/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

namespace writ::egress {

Result<std::unique_ptr<Pipe>> PipePool::Take() {
  if (!idle_.empty()) {
    auto pipe = std::move(idle_.back());
    idle_.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return FailErrno("pipe2");
  auto pipe = std::make_unique<Pipe>(Pipe{sys::UniqueFd{ends[0]}, sys::UniqueFd{ends[1]}});
  // A smaller pipe than asked for is slower, nothing else: pipe(7), pipe-user-pages-soft.
  static_cast<void>(::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes));
  return pipe;
}

void PipePool::GiveBack(std::unique_ptr<Pipe> pipe) {
  if (idle_.size() < kIdleMax) idle_.push_back(std::move(pipe));
}

}  // namespace writ::egress

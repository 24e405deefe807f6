#include "session/stdin_pump.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace writ::session {
namespace {

/// Copies until the end of the input, until nobody reads, or until `stop` is readable.
void Copy(int from, sys::UniqueFd to, int stop) {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are for the thread that waits for the run; EPIPE tells
  char buffer[1 << 16];
  std::size_t have = 0, sent = 0;
  while (true) {
    // Watching `to` for errors only shows that the job closed its end while the input is silent.
    pollfd waits[] = {{stop, POLLIN, 0},
                      {have == sent ? from : -1, POLLIN, 0},
                      {to.get(), static_cast<short>(have == sent ? 0 : POLLOUT), 0}};
    if (::poll(waits, 3, -1) < 0 && errno != EINTR) return;
    if (waits[0].revents != 0 || (waits[2].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return;
    if (have == sent && waits[1].revents != 0) {
      const ssize_t got = ::read(from, buffer, sizeof buffer);
      if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return;
      sent = 0;
      have = got > 0 ? static_cast<std::size_t>(got) : 0;
    } else if (have > sent && waits[2].revents != 0) {
      const ssize_t wrote = ::write(to.get(), buffer + sent, have - sent);
      if (wrote < 0 && errno != EINTR && errno != EAGAIN) return;
      if (wrote > 0) sent += static_cast<std::size_t>(wrote);
    }
  }
}

}  // namespace

Result<std::unique_ptr<StdinPump>> StdinPump::Start(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return FailErrno("stdin");
  if (S_ISDIR(status.st_mode)) return Fail(Code::kInvalid, "stdin is a directory; it must be a file, a pipe or a terminal");
  std::unique_ptr<StdinPump> pump(new StdinPump);
  const int flags = ::fcntl(fd, F_GETFL);
  if (S_ISFIFO(status.st_mode) && flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) {
    pump->read_end_ = sys::UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!pump->read_end_.valid()) return FailErrno("copy the descriptor of stdin");
    return pump;
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("make a pipe for stdin");
  pump->read_end_ = sys::UniqueFd(ends[0]);
  sys::UniqueFd write_end(ends[1]);
  if (::fcntl(write_end.get(), F_SETFL, O_NONBLOCK) != 0) return FailErrno("make the pipe for stdin non-blocking");
  pump->stop_ = sys::UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!pump->stop_.valid()) return FailErrno("make an eventfd");
  pump->thread_ = std::thread([fd, stop = pump->stop_.get(), to = std::move(write_end)]() mutable { Copy(fd, std::move(to), stop); });
  return pump;
}

StdinPump::~StdinPump() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake already.
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
}

}  // namespace writ::session

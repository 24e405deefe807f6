#include "http/serve/log_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace writ::http {

LogWriter::LogWriter(int fd) : fd_(fd), thread_([this] { Write(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LogWriter::Line(std::string_view line) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() + 1 > kWaitingMax) {
      ++lost_;
      return;
    }
    waiting_.append(line).push_back('\n');
  }
  changed_.notify_all();
}

void LogWriter::Write() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::string text = std::exchange(waiting_, {});
    if (const std::size_t lost = std::exchange(lost_, 0); lost > 0) text += fmt::format("{{\"lost\":{}}}\n", lost);
    std::string_view rest = text;
    lock.unlock();
    while (!rest.empty()) {
      pollfd item{fd_, POLLOUT, 0};
      const int ready = ::poll(&item, 1, 1000);
      if (ready == 0) {  // nobody reads: give up only when the program ends
        const std::lock_guard again(mutex_);
        if (stop_) return;
        continue;
      }
      // Not more than a pipe takes at once: a larger write could wait although poll said that there is room.
      const ssize_t wrote = ::write(fd_, rest.data(), std::min<std::size_t>(rest.size(), 4096));
      if (wrote < 0 && errno != EINTR && errno != EAGAIN) break;  // nowhere to complain
      if (wrote > 0) rest.remove_prefix(static_cast<std::size_t>(wrote));
    }
    lock.lock();
  }
}

}  // namespace writ::http

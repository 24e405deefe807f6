#include "cli/output_stream.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace writ::cli {
namespace {

bool Writable(int fd) {
  pollfd wait{fd, POLLOUT, 0};
  return ::poll(&wait, 1, 0) > 0;  // an error condition counts: write tells which
}

}  // namespace

OutputStream::OutputStream(int fd, Filter filter) : fd_(fd), filter_kind_(filter) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return;  // a closed descriptor: the first write says so
  if (S_ISSOCK(status.st_mode)) {
    how_ = How::kSocket;
  } else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
    const std::string self = fmt::format("/proc/self/fd/{}", fd);
    own_ = sys::UniqueFd(::open(self.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    how_ = own_.valid() ? How::kNonBlocking : How::kSmallPieces;
  }
}

Result<> OutputStream::Write(std::string_view bytes) {
  if (reader_gone_ || bytes.empty()) return {};
  if (sent_ == pending_.size()) {
    pending_.clear();
    sent_ = 0;
  }
  const std::size_t before = pending_.size();
  if (filter_kind_ == Filter::kTerminal) {
    filter_.Append(bytes, pending_);
  } else {
    pending_ += bytes;
  }
  if (pending_.size() > before) at_line_start_ = pending_.back() == '\n';
  return Push();
}

Result<> OutputStream::Push() {
  while (kept() > 0 && !reader_gone_) {
    // A poll that says "writable" promises room for PIPE_BUF bytes, so a blocking descriptor does not block on them.
    const std::size_t most = how_ == How::kSmallPieces ? PIPE_BUF : kept();
    if (how_ == How::kSmallPieces && !Writable(fd_)) return {};
    const char* data = pending_.data() + sent_;
    const std::size_t size = std::min(kept(), most);
    const ssize_t wrote = how_ == How::kSocket ? ::send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : ::write(out_fd(), data, size);
    if (wrote >= 0) {
      sent_ += static_cast<std::size_t>(wrote);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (how_ == How::kBlocking) how_ = How::kSmallPieces;  // the caller made it non-blocking itself
      return {};
    } else if (errno == EPIPE || errno == ECONNRESET) {
      reader_gone_ = true;
    } else if (errno != EINTR) {
      return FailErrno("write");
    }
  }
  pending_.clear();
  sent_ = 0;
  if (pending_.capacity() > (1u << 20)) pending_.shrink_to_fit();
  return {};
}

Result<> OutputStream::Finish() {
  if (filter_kind_ == Filter::kTerminal) filter_.Finish(pending_);
  return Push();
}

Result<> Drain(OutputStream& stream, Deadline deadline, const std::function<bool()>& stop) {
  constexpr Millis kAskEvery{50};
  while (true) {
    WRIT_TRY("write", stream.Push());
    const int fd = stream.WaitFd();
    if (fd < 0 || stop()) return {};
    if (deadline.Passed()) return Fail(Code::kDeadline, "the reader of the output does not read");
    pollfd wait{fd, POLLOUT, 0};
    ::poll(&wait, 1, Deadline::After(kAskEvery).Earlier(deadline).PollTimeoutMs());  // a signal ends it early: asked again
  }
}

}  // namespace writ::cli

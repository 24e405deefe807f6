#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/deadline.h"
#include "cli/terminal_filter.h"
#include "sys/unique_fd.h"

namespace writ::cli {

enum class Filter : std::uint8_t {
  kNone,     ///< byte for byte: pipes, files, and terminals the job was given with -t
  kTerminal  ///< TerminalFilter
};

/// Writes to one of the caller's descriptors without ever blocking on a slow reader: what does not fit is kept, and
/// the descriptor to wait for is told. Memory is bounded because the writer stops giving while WaitFd() is not -1;
/// at most one piece of output is kept. Pipes and terminals are opened anew where /proc allows it, so that the
/// caller's own descriptor keeps its mode; regular files are written directly.
class OutputStream {
 public:
  /// `fd` is borrowed.
  OutputStream(int fd, Filter filter);

  /// Takes all of `bytes`. Errors: those of write(2) except EPIPE, which sets reader_gone().
  Result<> Write(std::string_view bytes);
  /// Writes what is kept, as far as possible now.
  Result<> Push();
  /// Holds back nothing more (an incomplete sequence is shown) and ends colours.
  Result<> Finish();

  int WaitFd() const { return kept() > 0 ? out_fd() : -1; }
  std::size_t kept() const { return pending_.size() - sent_; }
  bool reader_gone() const { return reader_gone_; }
  /// Whether the last byte written left the cursor at the start of a line. True at the beginning.
  bool at_line_start() const { return at_line_start_; }

 private:
  int out_fd() const { return own_.valid() ? own_.get() : fd_; }

  int fd_;
  sys::UniqueFd own_;          ///< the same pipe or terminal, non-blocking
  enum class How : std::uint8_t { kBlocking, kNonBlocking, kSocket, kSmallPieces } how_ = How::kBlocking;
  Filter filter_kind_;
  TerminalFilter filter_;
  std::string pending_;
  std::size_t sent_ = 0;       ///< of pending_
  bool reader_gone_ = false;
  bool at_line_start_ = true;
};

/// Waits until everything kept is written, the reader is gone, `stop` says so (asked every 50 ms), or the deadline
/// passes. Errors: those of write(2); kDeadline.
Result<> Drain(OutputStream& stream, Deadline deadline, const std::function<bool()>& stop);

}  // namespace writ::cli

#pragma once

#include <functional>
#include <string>

#include "cli/output_stream.h"
#include "isolation/backend.h"

namespace writ::cli {

/// How a run's streams reach the caller.
struct LiveOutputOptions {
  int stdout_fd = 1, stderr_fd = 2;
  Filter stdout_filter = Filter::kNone, stderr_filter = Filter::kNone;
  /// Called once, when the reader of a stream went away.
  std::function<void()> on_reader_gone;
  /// Asked while a full stream is waited for: true gives up.
  std::function<bool()> stop;
  bool raw_terminal = false;  ///< stderr is a terminal in raw mode: lines of writ's own end with a carriage return too
  std::string stdout_limit, stderr_limit;  ///< as people read them, for the mark
};

/// Passes a run's output on to the caller's stdout and stderr as it comes.
class LiveOutput final : public isolation::OutputSink {
 public:
  explicit LiveOutput(LiveOutputOptions options);
  Result<> Write(isolation::Stream stream, ByteView bytes) override;
  Result<> Truncated(isolation::Stream stream) override;
  int NotReady(isolation::Stream stream) override;

  /// A line of writ's own on stderr, never in the middle of a line of the job. `line` has no newline and is safe.
  Result<> Say(std::string_view line);
  /// Lines of writ's own, the last one ended, at the start of a line. The terminal is no longer raw.
  Result<> SayBlock(std::string_view text);
  /// A line that the next output replaces; empty removes it. Only for a terminal. Not shown while the job's last line
  /// is unfinished.
  void ShowProgress(std::string_view line);
  /// Writes the rest, as long as `stop` does not ask to give up.
  Result<> Finish();

 private:
  OutputStream& Of(isolation::Stream stream) { return stream == isolation::Stream::kStdout ? out_ : err_; }
  bool MidLine() const;  ///< a terminal's cursor is where the job left an unfinished line
  Result<> Passed(OutputStream& stream, std::string_view name, Result<> result);

  LiveOutputOptions options_;
  OutputStream out_, err_;
  bool told_reader_gone_ = false;
  bool progress_shown_ = false;
};

/// Swallows a run's output: for --json, where the result carries it.
class NoOutput final : public isolation::OutputSink {
 public:
  Result<> Write(isolation::Stream, ByteView) override { return {}; }
  Result<> Truncated(isolation::Stream) override { return {}; }
};

}  // namespace writ::cli

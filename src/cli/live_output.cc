#include "cli/live_output.h"

#include <algorithm>

namespace writ::cli {
namespace {

constexpr std::size_t kKeptMax = 1u << 20;  // per stream, when the writer does not wait of its own accord

}  // namespace

LiveOutput::LiveOutput(LiveOutputOptions options)
    : options_(std::move(options)),
      out_(options_.stdout_fd, options_.stdout_filter),
      err_(options_.stderr_fd, options_.stderr_filter) {}

Result<> LiveOutput::Passed(OutputStream& stream, std::string_view name, Result<> result) {
  if (!result) return std::unexpected(std::move(result).error().Doing(name));
  if (stream.reader_gone() && !told_reader_gone_) {
    told_reader_gone_ = true;
    if (options_.on_reader_gone) options_.on_reader_gone();
  }
  return {};
}

bool LiveOutput::MidLine() const {
  return (options_.stdout_filter == Filter::kTerminal && !out_.at_line_start()) ||
         (options_.stderr_filter == Filter::kTerminal && !err_.at_line_start());
}

Result<> LiveOutput::Write(isolation::Stream stream, ByteView bytes) {
  ShowProgress({});
  OutputStream& to = Of(stream);
  const std::string_view name = stream == isolation::Stream::kStdout ? "stdout" : "stderr";
  if (to.kept() > kKeptMax) WRIT_TRY(name, Drain(to, Deadline::Never(), options_.stop));
  if (to.kept() > 0 && options_.stop()) return {};  // given up: whoever cancels does not wait for a stuck reader
  return Passed(to, name, to.Write(AsText(bytes)));
}

Result<> LiveOutput::Truncated(isolation::Stream stream) {
  const bool out = stream == isolation::Stream::kStdout;
  return Say(fmt::format("writ: {} reached its limit of {} (--{}-max); the rest of it is discarded", out ? "stdout" : "stderr",
                         out ? options_.stdout_limit : options_.stderr_limit, out ? "stdout" : "stderr"));
}

int LiveOutput::NotReady(isolation::Stream stream) {
  OutputStream& to = Of(stream);
  // What push cannot write stays kept and is reported by the next Write.
  if (const auto pushed = to.Push(); !pushed || options_.stop()) return -1;
  return to.WaitFd();
}

Result<> LiveOutput::Say(std::string_view line) {
  ShowProgress({});
  const std::string_view end = options_.raw_terminal ? "\r\n" : "\n";
  return Passed(err_, "stderr", err_.Write(fmt::format("{}{}{}", MidLine() ? end : "", line, end)));
}

Result<> LiveOutput::SayBlock(std::string_view text) {
  ShowProgress({});
  WRIT_TRY("stderr", Passed(err_, "stderr", err_.Write(fmt::format("{}{}", MidLine() ? "\n" : "", text))));
  return Drain(err_, Deadline::Never(), options_.stop);
}

void LiveOutput::ShowProgress(std::string_view line) {
  if (line.empty() && !progress_shown_) return;
  if (!line.empty() && (MidLine() || err_.kept() > 0)) return;
  // Straight to the descriptor: this is writ's own text, which the filter would make visible. If the terminal does
  // not take it now, it is only a progress line.
  OutputStream raw(options_.stderr_fd, Filter::kNone);
  static_cast<void>(raw.Write(fmt::format("\r\x1b[K{}", line)));
  progress_shown_ = !line.empty();
}

Result<> LiveOutput::Finish() {
  ShowProgress({});
  for (OutputStream* stream : {&out_, &err_}) {
    const std::string_view name = stream == &out_ ? "stdout" : "stderr";
    WRIT_TRY(name, Passed(*stream, name, stream->Finish()));
    WRIT_TRY(name, Drain(*stream, Deadline::Never(), options_.stop));
  }
  return {};
}

}  // namespace writ::cli

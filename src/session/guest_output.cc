#include "session/guest_output.h"

#include <fmt/format.h>

#include <utility>

namespace writ::session {

Result<> BlobSpill::Write(ByteView bytes) {
  bytes_ += bytes.size();
  if (!writer_ && buffer_.size() + bytes.size() <= kMemoryBytes) {
    buffer_ += AsText(bytes);
    return {};
  }
  if (!writer_) {
    writer_ = WRIT_TRY("keep output", blobs_.Create());
    WRIT_TRY("keep output", writer_->Write(AsBytes(std::exchange(buffer_, {}))));
  }
  return writer_->Write(bytes);
}

Result<std::string> BlobSpill::Finish(storage::Durability durability) {
  if (bytes_ == 0) return std::string();
  if (writer_) return writer_->Finish(durability);
  return blobs_.Put(AsBytes(buffer_), durability);
}

GuestOutput::GuestOutput(isolation::OutputSink& live, storage::BlobStore& blobs, const Limits& limits,
                         const Redaction& redaction, LiveLogPlace live_log)
    : live_(live),
      stdout_max_(limits.stdout_bytes),
      stderr_max_(limits.stderr_bytes),
      log_(blobs),
      out_(blobs),
      err_(blobs),
      out_redactors_(redaction),
      err_redactors_(redaction),
      log_redactor_(redaction),
      // The log and its streams are the same bytes unless something is redacted; 1 MiB is for headers and marks.
      live_log_(std::move(live_log), (redaction == nullptr ? 1 : 2) * (stdout_max_ + stderr_max_) + (1u << 20)),
      redacts_(redaction != nullptr) {}

secrets::Redactor::Sink GuestOutput::ToLive(isolation::Stream stream) {
  return [this, stream](ByteView bytes) { return live_.Write(stream, bytes); };
}

secrets::Redactor::Sink GuestOutput::ToStore(isolation::Stream stream) {
  return [this, stream](ByteView bytes) -> Result<> {
    WRIT_TRY("log", log_redactor_.Write(bytes, ToLog()));
    const bool out = stream == isolation::Stream::kStdout;
    live_log_.Add((out ? kLiveStdout : kLiveStderr) | (redacts_ ? 0 : kLiveLog), bytes);
    return (out ? out_ : err_).Write(bytes);
  };
}

secrets::Redactor::Sink GuestOutput::ToLog() {
  return [this](ByteView bytes) {
    if (redacts_) live_log_.Add(kLiveLog, bytes);
    return log_.Write(bytes);
  };
}

void GuestOutput::EndAbove(std::uint64_t bytes_max, std::function<void()> crossed) {
  together_max_ = bytes_max;
  crossed_ = std::move(crossed);
}

Result<> GuestOutput::Write(isolation::Stream stream, ByteView bytes) {
  if (together_ > together_max_) return {};
  together_ += bytes.size();
  Redactors& redactors = RedactorsOf(stream);
  WRIT_TRY("log", redactors.kept.Write(bytes, ToStore(stream)));
  WRIT_TRY("output", redactors.live.Write(bytes, ToLive(stream)));
  if (together_ > together_max_ && crossed_) crossed_();
  return {};
}

Result<> GuestOutput::Idle() {
  for (const auto stream : {isolation::Stream::kStdout, isolation::Stream::kStderr})
    WRIT_TRY("output", RedactorsOf(stream).live.ReleaseFew(ToLive(stream)));
  live_log_.Publish();
  return {};
}

Result<> GuestOutput::Cut(isolation::Stream stream) {
  WRIT_TRY("log", RedactorsOf(stream).kept.Cut(ToStore(stream)));
  return RedactorsOf(stream).live.Cut(ToLive(stream));
}

Result<> GuestOutput::Truncated(isolation::Stream stream) {
  const bool out = stream == isolation::Stream::kStdout;
  WRIT_TRY("log", Cut(stream));
  WRIT_TRY("log", log_redactor_.Cut(ToLog()));
  marked_ = true;
  const std::string mark = fmt::format("\n[writ: {} is cut here: it reached its limit of {} bytes]\n",
                                       out ? "stdout" : "stderr", out ? stdout_max_ : stderr_max_);
  live_log_.Add(kLiveLog, AsBytes(mark));
  WRIT_TRY("log", log_.Write(AsBytes(mark)));
  return live_.Truncated(stream);
}

Result<CapturedOutput> GuestOutput::Finish(storage::Durability durability) {
  // A guest that was ended may have been about to write the rest of a value.
  WRIT_TRY("stdout", Cut(isolation::Stream::kStdout));
  WRIT_TRY("stderr", Cut(isolation::Stream::kStderr));
  WRIT_TRY("log", log_redactor_.Cut(ToLog()));
  CapturedOutput captured;
  captured.redacted_out = out_redactors_.kept.found();
  captured.redacted_err = err_redactors_.kept.found();
  captured.out = {WRIT_TRY("store stdout", out_.Finish(durability)), out_.bytes()};
  captured.err = {WRIT_TRY("store stderr", err_.Finish(durability)), err_.bytes()};
  captured.log.bytes = log_.bytes();
  // With one stream silent the log is the other one: stored already, under the same name.
  if (!marked_ && err_.bytes() == 0) {
    captured.log.hash = captured.out.hash;
  } else if (!marked_ && out_.bytes() == 0) {
    captured.log.hash = captured.err.hash;
  } else {
    captured.log.hash = WRIT_TRY("store log", log_.Finish(durability));
  }
  return captured;
}

}  // namespace writ::session

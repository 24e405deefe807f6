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

GuestOutput::GuestOutput(isolation::OutputSink& live, storage::BlobStore& blobs, const Limits& limits)
    : live_(live),
      stdout_max_(limits.stdout_bytes),
      stderr_max_(limits.stderr_bytes),
      log_(blobs),
      out_(blobs),
      err_(blobs) {}

Result<> GuestOutput::Write(isolation::Stream stream, ByteView bytes) {
  WRIT_TRY("log", log_.Write(bytes));
  WRIT_TRY("log", (stream == isolation::Stream::kStdout ? out_ : err_).Write(bytes));
  return live_.Write(stream, bytes);
}

Result<> GuestOutput::Truncated(isolation::Stream stream) {
  const bool out = stream == isolation::Stream::kStdout;
  marked_ = true;
  const std::string mark = fmt::format("\n[writ: {} is cut here: it reached its limit of {} bytes]\n",
                                       out ? "stdout" : "stderr", out ? stdout_max_ : stderr_max_);
  WRIT_TRY("log", log_.Write(AsBytes(mark)));
  return live_.Truncated(stream);
}

Result<CapturedOutput> GuestOutput::Finish(storage::Durability durability) {
  CapturedOutput captured;
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

#include "isolation/process/stream_pump.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace writ::isolation::process {

Result<bool> StreamPump::Pump(OutputSink& sink) {
  std::array<std::uint8_t, 64 << 10> chunk;
  const ssize_t got = ::read(fd_.get(), chunk.data(), chunk.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  if (got < 0 && errno != EIO) return FailErrno("read the guest's output");
  if (got <= 0) {  // EIO: the other side of a terminal has closed
    fd_.Reset();
    return false;
  }
  const std::uint64_t room = bytes_max_ - std::min(bytes_seen_, bytes_max_);
  const bool was_within = bytes_seen_ <= bytes_max_;
  const auto size = static_cast<std::uint64_t>(got);
  bytes_seen_ += size;
  if (const std::uint64_t shown = std::min(room, size); shown > 0)
    WRIT_TRY("keep output", sink.Write(stream_, ByteView(chunk).first(shown)));
  const bool crossed = was_within && bytes_seen_ > bytes_max_;
  if (crossed) WRIT_TRY("mark cut output", sink.Truncated(stream_));
  return crossed;
}

}  // namespace writ::isolation::process

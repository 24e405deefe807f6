#pragma once

#include <cstdint>

#include "base/error.h"
#include "isolation/backend.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// Copies one output stream of a guest to a sink, up to its limit; the rest is read and counted, never kept.
class StreamPump {
 public:
  StreamPump(Stream stream, sys::UniqueFd fd, std::uint64_t bytes_max)
      : stream_(stream), fd_(std::move(fd)), bytes_max_(bytes_max) {}

  /// Reads once. Returns true when this read crossed the limit. Errors: those of the sink.
  Result<bool> Pump(OutputSink& sink);

  Stream stream() const { return stream_; }
  int fd() const { return fd_.get(); }
  bool closed() const { return !fd_.valid(); }
  bool truncated() const { return bytes_seen_ > bytes_max_; }
  std::uint64_t bytes_seen() const { return bytes_seen_; }
  bool blocked() const { return blocked_; }
  void set_blocked(bool blocked) { blocked_ = blocked; }

 private:
  Stream stream_;
  sys::UniqueFd fd_;
  std::uint64_t bytes_max_, bytes_seen_ = 0;
  bool blocked_ = false;
};

}  // namespace writ::isolation::process

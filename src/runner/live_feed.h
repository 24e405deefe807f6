#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "isolation/backend.h"

namespace writ::runner {

/// A guest's output on its way to those who look on: redacted already, kept for a moment, bounded. What does not fit is
/// left out, and the offsets say so; the log that is stored has everything. Thread-safe.
class LiveFeed final : public isolation::OutputSink {
 public:
  static constexpr std::size_t kHeldMax = 1 << 20;  ///< per stream
  static constexpr std::size_t kPieceMax = 256 << 10;

  Result<> Write(isolation::Stream stream, ByteView bytes) override;
  Result<> Truncated(isolation::Stream) override { return {}; }

  struct Piece {
    isolation::Stream stream = isolation::Stream::kStdout;
    std::uint64_t offset = 0;  ///< in the stream
    std::string bytes;
  };
  /// What waits, at most kPieceMax of one stream; nullopt: nothing.
  std::optional<Piece> Take();

 private:
  struct Held {
    std::string bytes;
    std::uint64_t offset = 0;  ///< of the first of them
  };
  std::mutex mutex_;
  Held held_[2];  ///< guarded by mutex_
};

}  // namespace writ::runner

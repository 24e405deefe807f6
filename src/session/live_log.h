#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::session {

/// The streams that bytes of a live log belong to, as bits: what was redacted differs between the log and its streams.
enum LiveStream : std::uint8_t { kLiveLog = 1, kLiveStdout = 2, kLiveStderr = 4 };

/// Where a live log is made: a directory (borrowed; -1: nowhere) and a name in it.
struct LiveLogPlace {
  int directory = -1;
  std::string name;
};

/// What a running guest has written so far, for other commands of the same user: a file of mode 0600 that grows while
/// the run goes on and holds the beginning of what will be stored (docs/formats/store.md). It is made when there is
/// output to publish, so a short run has none. It is a convenience: what cannot be written into it is left out, and the
/// stored log has everything. Whoever made the place removes the file.
class LiveLog {
 public:
  /// At most `bytes_max` bytes of file are written, headers included.
  LiveLog(LiveLogPlace place, std::uint64_t bytes_max) : place_(std::move(place)), bytes_max_(bytes_max) {}

  /// Takes bytes of `streams` (bits of LiveStream); they are published later, or at once when they are many.
  void Add(std::uint8_t streams, ByteView bytes);
  /// Makes everything added so far visible to readers. Costs nothing when that is nothing.
  void Publish();

  static constexpr std::size_t kFrameMax = 64 << 10;

 private:
  LiveLogPlace place_;
  const std::uint64_t bytes_max_;
  sys::UniqueFd file_;
  std::string pending_;         ///< whole frames
  std::size_t last_frame_ = 0;  ///< where in `pending_` the last one begins
  std::uint64_t bytes_ = 0;     ///< in the file
  bool given_up_ = false;
};

/// Takes a live log apart: frames of a byte of streams, four bytes of length (little endian) and as many bytes.
class LiveLogFrames {
 public:
  using Writer = std::function<Result<>(ByteView)>;
  /// Takes the next piece of the file, wherever it was cut, and passes on what belongs to `stream`.
  /// Errors: kCorrupt for what is no frame; those of `write`.
  Result<> Feed(ByteView piece, LiveStream stream, const Writer& write);

 private:
  std::array<std::uint8_t, 5> header_{};
  std::size_t header_bytes_ = 0, left_ = 0;
};

/// Reads a live log while it grows.
class LiveLogReader {
 public:
  /// nullopt: there is none. Errors: kInvalid for what is no file.
  static Result<std::optional<LiveLogReader>> Open(const LiveLogPlace& place);
  /// Passes on what belongs to `stream` and came since the last call.
  Result<> Read(LiveStream stream, const LiveLogFrames::Writer& write);
  std::uint64_t passed() const { return passed_; }  ///< bytes of the stream

 private:
  explicit LiveLogReader(sys::UniqueFd file) : file_(std::move(file)) {}
  sys::UniqueFd file_;
  LiveLogFrames frames_;
  std::uint64_t passed_ = 0;
};

}  // namespace writ::session

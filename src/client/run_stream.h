#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "isolation/backend.h"
#include "net/event_stream.h"
#include "remote/plane_connection.h"

namespace writ::client {

/// A piece of a run's live output.
struct LogPiece {
  isolation::Stream stream = isolation::Stream::kStdout;
  std::uint64_t offset = 0;  ///< of its first byte in the stream
  std::string bytes;
};
/// Reads an event of /v1/runs/{id}/log/stream: `{stream, offset, data: base64}`. Nothing for other events, such as the
/// end of the stream. Errors: kCorrupt.
Result<std::optional<LogPiece>> DecodeLogEvent(const net::ServerEvent& event);

/// Puts pieces together: each stream is passed on from its beginning without gaps and without repeats. A piece that
/// leaves a gap stops its stream, because what is missing is not known; what was kept completes it later.
class LogJoiner {
 public:
  /// The bytes of `piece` that come next; empty when there are none.
  std::string_view Take(const LogPiece& piece);
  std::uint64_t passed(isolation::Stream stream) const { return passed_[Index(stream)]; }
  /// Bytes written by somebody else, after the stream ended.
  void Advance(isolation::Stream stream, std::uint64_t bytes) { passed_[Index(stream)] += bytes; }
  bool gap(isolation::Stream stream) const { return gap_[Index(stream)]; }

 private:
  static std::size_t Index(isolation::Stream stream) { return stream == isolation::Stream::kStdout ? 0 : 1; }
  std::uint64_t passed_[2] = {0, 0};
  bool gap_[2] = {false, false};
};

/// Follows a run's output until the plane ends the stream, `piece` fails, or the deadline. Errors: kNotFound when the
/// plane knows no such stream (the original's does not); those of PlaneConnection and of `piece`.
Result<> FollowLog(remote::PlaneConnection& plane, std::string_view run_id, const std::function<Result<>(const LogPiece&)>& piece,
                   Deadline deadline);

}  // namespace writ::client

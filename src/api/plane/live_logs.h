#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace writ::api {

inline constexpr std::size_t kLiveLogBytesMax = 1u << 20;        ///< kept of one run
inline constexpr std::size_t kLiveLogBytesAllMax = 64u << 20;    ///< kept of all runs

/// A piece of what a run has written so far, for followers; the log that counts is the blob its receipt names.
struct LogPiece {
  std::uint64_t number = 0;  ///< of the piece, per run, from 0
  std::string stream;        ///< "stdout", "stderr"
  std::uint64_t offset = 0;  ///< in the stream
  std::string bytes;
};

/// The end of what live runs have written, in memory. Oldest pieces go first when there is too much. One thread.
class LiveLogs {
 public:
  using Watcher = std::function<void(std::string_view run_id, const LogPiece& piece)>;
  void Watch(Watcher watcher) { watcher_ = std::move(watcher); }

  /// Bytes that were sent before (offset below the stream's end) are skipped; a gap is kept as one.
  void Append(std::string_view run_id, std::string_view stream, std::uint64_t offset, std::string_view bytes);
  /// What is kept of a run, in order.
  const std::deque<LogPiece>& Pieces(std::string_view run_id) const;
  void Forget(std::string_view run_id);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Log {
    std::deque<LogPiece> pieces;
    std::map<std::string, std::uint64_t, std::less<>> ends;
    std::size_t bytes = 0;
    std::uint64_t next = 0;
  };
  void DropOldest(Log& log);

  std::map<std::string, Log, std::less<>> logs_;
  std::size_t bytes_ = 0;
  Watcher watcher_;
};

}  // namespace writ::api

#include "api/plane/live_logs.h"

namespace writ::api {
namespace {

constexpr std::size_t kLiveLogPiecesMax = 4096;  // each costs more than its bytes

}  // namespace

void LiveLogs::DropOldest(Log& log) {
  log.bytes -= log.pieces.front().bytes.size();
  bytes_ -= log.pieces.front().bytes.size();
  log.pieces.pop_front();
}

void LiveLogs::Append(std::string_view run_id, std::string_view stream, std::uint64_t offset, std::string_view bytes) {
  Log& log = logs_.try_emplace(std::string(run_id)).first->second;
  std::uint64_t& end = log.ends[std::string(stream)];
  if (bytes.empty() || offset + bytes.size() <= end) return;
  if (offset < end) {
    bytes.remove_prefix(end - offset);
    offset = end;
  }
  end = offset + bytes.size();
  log.pieces.push_back({log.next++, std::string(stream), offset, std::string(bytes)});
  log.bytes += bytes.size();
  bytes_ += bytes.size();
  if (watcher_) watcher_(run_id, log.pieces.back());
  while (log.pieces.size() > 1 && (log.bytes > kLiveLogBytesMax || bytes_ > kLiveLogBytesAllMax)) DropOldest(log);
  while (log.pieces.size() > kLiveLogPiecesMax) DropOldest(log);
  if (log.bytes > kLiveLogBytesMax || bytes_ > kLiveLogBytesAllMax) DropOldest(log);
}

const std::deque<LogPiece>& LiveLogs::Pieces(std::string_view run_id) const {
  static const std::deque<LogPiece> kNone;
  const auto found = logs_.find(run_id);
  return found == logs_.end() ? kNone : found->second.pieces;
}

void LiveLogs::Forget(std::string_view run_id) {
  const auto found = logs_.find(run_id);
  if (found == logs_.end()) return;
  bytes_ -= found->second.bytes;
  logs_.erase(found);
}

}  // namespace writ::api

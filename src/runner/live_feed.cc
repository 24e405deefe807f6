#include "runner/live_feed.h"

#include <algorithm>

namespace writ::runner {

Result<> LiveFeed::Write(isolation::Stream stream, ByteView bytes) {
  const std::lock_guard hold(mutex_);
  Held& held = held_[stream == isolation::Stream::kStdout ? 0 : 1];
  if (held.bytes.size() + bytes.size() > kHeldMax) {  // the newest is what somebody looks at
    held.offset += held.bytes.size();
    held.bytes.clear();
    const std::size_t cut = bytes.size() - std::min(bytes.size(), kHeldMax);
    held.offset += cut;
    bytes = bytes.subspan(cut);
  }
  held.bytes += AsText(bytes);
  return {};
}

std::optional<LiveFeed::Piece> LiveFeed::Take() {
  const std::lock_guard hold(mutex_);
  for (const auto stream : {isolation::Stream::kStdout, isolation::Stream::kStderr}) {
    Held& held = held_[stream == isolation::Stream::kStdout ? 0 : 1];
    if (held.bytes.empty()) continue;
    Piece piece{stream, held.offset, held.bytes.substr(0, kPieceMax)};
    held.offset += piece.bytes.size();
    held.bytes.erase(0, piece.bytes.size());
    return piece;
  }
  return std::nullopt;
}

}  // namespace writ::runner

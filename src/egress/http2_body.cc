#include "egress/http2_body.h"

#include <algorithm>
#include <cstring>

#include "crypto/secret.h"

namespace writ::egress {
namespace {

constexpr std::size_t kCompactBytes = 32U << 10;  // of what is taken already

/// Takes what can be taken of `text` behind `taken`, and forgets `text` when that was all.
std::size_t TakeOut(std::string& text, std::size_t& taken, std::span<char> to, bool wipe) {
  const std::size_t count = std::min(to.size(), text.size() - taken);
  if (count != 0) std::memcpy(to.data(), text.data() + taken, count);
  taken += count;
  if (taken == text.size()) {
    if (wipe) crypto::Wipe(text);
    text.clear();
    taken = 0;
  } else if (taken > kCompactBytes) {
    text.erase(0, taken);
    taken = 0;
  }
  return count;
}

}  // namespace

Http2Body::~Http2Body() {
  if (wipe_) crypto::Wipe(out_);
}

void Http2Body::Add(std::string_view bytes) {
  if (in_taken_ > kCompactBytes) {
    in_.erase(0, in_taken_);
    in_taken_ = 0;
  }
  in_ += bytes;
}

void Http2Body::Discard() {
  discarded_ = true;
  credit_ += in_.size() - in_taken_;
  in_.clear();
  in_taken_ = 0;
}

/// False: refused.
bool Http2Body::Filter(std::size_t wanted) {
  while (out_.size() - out_taken_ < wanted && in_taken_ < in_.size()) {
    const auto piece = std::string_view(in_).substr(in_taken_, kPieceBytes);
    if (!filter_->Write(piece, out_)) return false;
    in_taken_ += piece.size();
    credit_ += piece.size();
  }
  if (in_taken_ == in_.size()) in_.clear(), in_taken_ = 0;
  if (in_.empty() && ended_ && !finished_) {
    finished_ = true;
    filter_->Finish(out_);
  }
  return true;
}

Http2Piece Http2Body::Pull(std::span<char> to) {
  Http2Piece piece;
  if (filter_) {
    if (!Filter(to.size())) return {.bytes = 0, .last = false, .trailers = {}, .failed = true};
    piece.bytes = TakeOut(out_, out_taken_, to, wipe_);
  } else {
    piece.bytes = TakeOut(in_, in_taken_, to, false);
    credit_ += piece.bytes;
  }
  piece.last = ended_ && in_.empty() && out_.empty();
  if (piece.last) piece.trailers = std::move(trailers_);
  return piece;
}

std::size_t Http2Body::TakeCredit() {
  if (discarded_) {
    credit_ += in_.size() - in_taken_;
    in_.clear();
    in_taken_ = 0;
  }
  return std::exchange(credit_, 0);
}

}  // namespace writ::egress

#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "egress/body_flow.h"
#include "egress/http2_session.h"

namespace writ::egress {

/// The body of one message of a stream between the session that reads it and the one that sends it. What waits is
/// bounded by the reading session's window, because bytes are given back only as they are taken; what a filter makes
/// of them by kPieceBytes.
class Http2Body {
 public:
  Http2Body() = default;
  ~Http2Body();
  Http2Body(const Http2Body&) = delete;
  Http2Body& operator=(const Http2Body&) = delete;

  /// Before anything is added. `wipe`: what goes out may hold values of secrets.
  void SetFilter(std::unique_ptr<BodyFilter> filter, bool wipe) { filter_ = std::move(filter), wipe_ = wipe; }
  void Add(std::string_view bytes);
  void End(net::Http1Fields trailers) { ended_ = true, trailers_ = std::move(trailers); }
  /// Nothing of it is wanted any more: what was added and is added counts as taken.
  void Discard();

  /// Fills one frame. Http2Piece::failed: the filter refused.
  Http2Piece Pull(std::span<char> to);
  /// Bytes that were added and have been taken since the last call: to be given back to the reading session.
  std::size_t TakeCredit();
  bool ended() const { return ended_; }
  bool discarded() const { return discarded_; }

  static constexpr std::size_t kPieceBytes = 1024;  ///< given to a filter at once: values are longer than placeholders

 private:
  bool Filter(std::size_t wanted);
  std::unique_ptr<BodyFilter> filter_;
  std::string in_, out_;
  std::size_t in_taken_ = 0, out_taken_ = 0, credit_ = 0;
  net::Http1Fields trailers_;
  bool wipe_ = false, ended_ = false, finished_ = false, discarded_ = false;
};

}  // namespace writ::egress

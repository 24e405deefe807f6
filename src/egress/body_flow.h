#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "net/http1_body.h"

namespace writ::egress {

/// Passes the body of one message on, in its framing, and knows where it ends. Chunked bodies get chunk borders and
/// size lines of our own, so that nothing passes but content and checked trailers.
class BodyFlow {
 public:
  BodyFlow() = default;  ///< of a message without a body
  explicit BodyFlow(const net::Http1Body& body) : body_(body), done_(body.framing == net::BodyFraming::kNone) {
    if (body_.framing == net::BodyFraming::kLength && body_.length_bytes == 0) done_ = true;
  }

  /// Appends to `out` what may be passed on of `in`, and returns how much of `in` was used. Errors: the body is broken.
  net::Http1Result<std::size_t> Take(std::string_view in, std::string& out);
  bool done() const { return done_; }
  /// Whether the end of the connection is the end of the body.
  bool EndsHere() const { return done_ || body_.framing == net::BodyFraming::kUntilClose; }

 private:
  net::Http1Body body_;  ///< length_bytes counts down
  net::ChunkedReader chunks_;
  bool done_ = true;
};

}  // namespace writ::egress

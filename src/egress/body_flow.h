#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "net/http1_body.h"

namespace writ::egress {

/// Changes the content of a body on its way.
class BodyFilter {
 public:
  virtual ~BodyFilter() = default;
  /// Appends to `out` what may go on. Errors: 403 when the content must not.
  virtual net::Http1Result<> Write(std::string_view content, std::string& out) = 0;
  /// The body has ended: appends what was held back.
  virtual void Finish(std::string& out) = 0;
  /// Changes the values of trailers. Errors: 403 when one must not go on, 400 when one can no longer be a field.
  virtual net::Http1Result<> ChangeTrailers(net::Http1Fields& trailers) = 0;
};

/// Passes the body of one message on, in its framing, and knows where it ends. Chunked bodies get chunk borders and
/// size lines of our own, so that nothing passes but content and checked trailers.
class BodyFlow {
 public:
  BodyFlow() = default;  ///< of a message without a body
  explicit BodyFlow(const net::Http1Body& body) : BodyFlow(body, body.framing, nullptr) {}
  /// As framed anew: `framing` kChunked, or content alone.
  BodyFlow(const net::Http1Body& body, net::BodyFraming framing, std::unique_ptr<BodyFilter> filter)
      : body_(body), framing_(framing), filter_(std::move(filter)), done_(body.framing == net::BodyFraming::kNone) {
    if (body_.framing == net::BodyFraming::kLength && body_.length_bytes == 0) done_ = true;
  }

  /// Appends to `out` what may be passed on of `in`, and returns how much of `in` was used. Errors: the body is broken,
  /// or 403 from the filter.
  net::Http1Result<std::size_t> Take(std::string_view in, std::string& out);
  bool done() const { return done_; }
  /// Whether the end of the connection is the end of the body.
  bool EndsHere() const { return done_ || body_.framing == net::BodyFraming::kUntilClose; }
  /// The connection has ended, and EndsHere: appends what was held back.
  void End(std::string& out);

 private:
  net::Http1Result<> EndChunked(std::string& out);
  void Frame(std::string_view content, std::string& out) const;
  net::Http1Result<> Pass(std::string_view content, std::string& out);

  net::Http1Body body_;  ///< length_bytes counts down
  net::BodyFraming framing_ = net::BodyFraming::kNone;
  std::unique_ptr<BodyFilter> filter_;
  net::ChunkedReader chunks_;
  net::Http1Fields trailers_;  ///< as they are passed on
  bool done_ = true;
};

}  // namespace writ::egress

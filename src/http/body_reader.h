#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/http1_body.h"

namespace writ::http {

/// Takes the body of one request out of the bytes of its connection, whatever its framing.
class BodyReader {
 public:
  explicit BodyReader(net::Http1Body body = {}) : body_(body), left_bytes_(body.length_bytes) {}

  struct Step {
    std::size_t consumed_bytes = 0;
    std::string_view data;   ///< content, borrowed from the input; may be empty
    bool need_more = false;  ///< nothing more can be said without more bytes
    bool done = false;       ///< the body has ended; what follows belongs to the next request
  };
  /// `input`: bytes not consumed yet. Call until need_more or done. Errors: as net::ChunkedReader.
  net::Http1Result<Step> Next(std::string_view input);
  bool done() const { return done_; }

 private:
  net::Http1Body body_;
  std::uint64_t left_bytes_;
  net::ChunkedReader chunks_;
  bool done_ = false;
};

}  // namespace writ::http

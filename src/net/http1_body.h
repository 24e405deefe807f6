#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http1.h"

namespace writ::net {

/// How the end of a body is known.
enum class BodyFraming : std::uint8_t { kNone, kLength, kChunked, kUntilClose };
struct Http1Body {
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t length_bytes = 0;  ///< kLength
  friend bool operator==(const Http1Body&, const Http1Body&) = default;
};

/// Framing of a request. Refused, since two readers could disagree: Content-Length together with Transfer-Encoding,
/// more than one of either (also equal ones, also as a list), a length that is not 1..18 digits, Transfer-Encoding in
/// HTTP/1.0. Errors: 400; 501 for a transfer coding other than exactly "chunked". Source: RFC 9112 section 6.
Http1Result<Http1Body> RequestBody(const Http1RequestHead& head);

/// Framing of the response to a request of that method. No body: 1xx, 204, 304, answers to HEAD and 2xx to CONNECT.
/// Refused as for requests.
Http1Result<Http1Body> ResponseBody(const Http1ResponseHead& head, std::string_view request_method);

/// Removes Content-Length and Transfer-Encoding and sets the one that says `body`; kNone and kUntilClose set none.
void SetBodyFields(Http1Fields& fields, const Http1Body& body);

/// What one call of ChunkedReader::Next found at the start of its input.
struct ChunkedStep {
  enum class Kind : std::uint8_t {
    kNeedMore,  ///< `consumed_bytes` of framing were read (maybe 0); call again when there are more bytes
    kData,      ///< `data` is content and the end of what was consumed
    kEnd        ///< the body ended; what follows `consumed_bytes` is the next message
  };
  Kind kind = Kind::kNeedMore;
  std::size_t consumed_bytes = 0;
  std::string_view data;               ///< borrowed from the input
  std::uint64_t chunk_left_bytes = 0;  ///< kData: what is still to come of this chunk; 0 at a chunk border
};

/// Reads a chunked body piece by piece and strictly: sizes of 1..16 hex digits, CRLF only, bounded extensions (ignored)
/// and trailers. Forward the content in chunks of your own (ChunkHeader), so that nothing but content passes.
/// Source: RFC 9112 section 7.1.
class ChunkedReader {
 public:
  static constexpr std::size_t kLineMax = 1024;            ///< a size line with its extension
  static constexpr std::size_t kExtensionsMax = 16 << 10;  ///< all extensions of one body
  static constexpr std::size_t kTrailersMax = 8 << 10;     ///< all trailer lines
  /// `input` are the bytes not consumed yet. Call until kNeedMore or kEnd. Errors: 400; call it no more after that.
  Http1Result<ChunkedStep> Next(std::string_view input);
  /// After kEnd. Fields that frame or route messages are refused in trailers.
  const Http1Fields& trailers() const { return trailers_; }

 private:
  enum class State : std::uint8_t { kSize, kData, kDataEnd, kTrailer, kEnd };
  Http1Result<bool> Line(std::string_view input, std::size_t& consumed);
  Http1Result<> SizeLine();
  Http1Result<> TrailerLine();
  State state_ = State::kSize;
  std::string line_;  // the incomplete line
  std::uint64_t left_bytes_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  Http1Fields trailers_;
};

/// "1f\r\n": goes before `size_bytes` (not 0) of content, which "\r\n" follows.
std::string ChunkHeader(std::uint64_t size_bytes);
/// Ends a chunked body without trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace writ::net

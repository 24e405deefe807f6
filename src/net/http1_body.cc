#include "net/http1_body.h"

#include <fmt/format.h>

#include "net/http1_text.h"

namespace writ::net {
namespace {

using http1::Refuse;

constexpr std::size_t kLengthDigitsMax = 18;
constexpr std::size_t kSizeDigitsMax = 16;

/// What Content-Length and Transfer-Encoding say together; `otherwise` when they say nothing.
Http1Result<Http1Body> Framing(unsigned minor, const Http1Fields& fields, BodyFraming otherwise) {
  const std::size_t lengths = CountFields(fields, "Content-Length");
  const std::size_t codings = CountFields(fields, "Transfer-Encoding");
  if (lengths > 0 && codings > 0) return Refuse(400, "both Content-Length and Transfer-Encoding");
  if (lengths > 1) return Refuse(400, "more than one Content-Length");
  if (codings > 1) return Refuse(400, "more than one Transfer-Encoding");
  if (codings == 1) {
    if (minor == 0) return Refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (!FieldNameIs(*FindField(fields, "Transfer-Encoding"), "chunked")) {
      return Refuse(501, "a transfer coding other than chunked");
    }
    return Http1Body{BodyFraming::kChunked, 0};
  }
  if (lengths == 0) return Http1Body{otherwise, 0};
  const std::string& digits = *FindField(fields, "Content-Length");
  std::uint64_t length = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return Refuse(400, "a Content-Length that is not a number");
    length = length * 10 + static_cast<unsigned>(c - '0');
    if (digits.size() > kLengthDigitsMax) return Refuse(400, "a Content-Length that is too large");
  }
  if (digits.empty()) return Refuse(400, "a Content-Length that is empty");
  return Http1Body{BodyFraming::kLength, length};
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Http1Result<Http1Body> RequestBody(const Http1RequestHead& head) {
  const auto body = Framing(head.minor, head.fields, BodyFraming::kNone);
  if (body && head.method == "CONNECT" && body->framing != BodyFraming::kNone &&
      *body != Http1Body{BodyFraming::kLength, 0}) {
    return Refuse(400, "a CONNECT request with a body");
  }
  return body;
}

Http1Result<Http1Body> ResponseBody(const Http1ResponseHead& head, std::string_view request_method) {
  const auto body = Framing(head.minor, head.fields, BodyFraming::kUntilClose);
  if (!body) return body;
  const bool none = head.status < 200 || head.status == 204 || head.status == 304 || request_method == "HEAD" ||
                    (request_method == "CONNECT" && head.status < 300);
  return none ? Http1Body{} : *body;
}

void SetBodyFields(Http1Fields& fields, const Http1Body& body) {
  RemoveField(fields, "Content-Length");
  RemoveField(fields, "Transfer-Encoding");
  if (body.framing == BodyFraming::kLength) SetField(fields, "Content-Length", fmt::format("{}", body.length_bytes));
  if (body.framing == BodyFraming::kChunked) SetField(fields, "Transfer-Encoding", "chunked");
}

Http1Result<bool> ChunkedReader::Line(std::string_view input, std::size_t& consumed) {
  while (consumed < input.size()) {
    const char c = input[consumed];
    const bool after_cr = line_.ends_with('\r');
    if (after_cr != (c == '\n'))
      return Refuse(400, after_cr ? "a CR without LF in a chunked body" : "a LF without CR in a chunked body");
    ++consumed;
    if (c == '\n') {
      line_.pop_back();
      return true;
    }
    if (c != '\r' && !http1::IsTextByte(c)) return Refuse(400, "a control character in a chunked body");
    line_ += c;
    if (line_.size() > kLineMax) return Refuse(400, "a line of a chunked body is too long");
  }
  return false;
}

Http1Result<> ChunkedReader::SizeLine() {
  std::size_t digits = 0;
  left_bytes_ = 0;
  while (digits < line_.size() && HexValue(line_[digits]) >= 0) {
    if (digits == kSizeDigitsMax) return Refuse(400, "a chunk size that is too large");
    left_bytes_ = left_bytes_ << 4 | static_cast<unsigned>(HexValue(line_[digits++]));
  }
  if (digits == 0) return Refuse(400, "a chunk size that is not a number");
  if (left_bytes_ >> 63 != 0) return Refuse(400, "a chunk size that is too large");
  if (digits < line_.size() && line_[digits] != ';') return Refuse(400, "a chunk size that is not a number");
  extension_bytes_ += line_.size() - digits;
  if (extension_bytes_ > kExtensionsMax) return Refuse(400, "too many chunk extensions");
  state_ = left_bytes_ == 0 ? State::kTrailer : State::kData;
  return {};
}

Http1Result<> ChunkedReader::TrailerLine() {
  if (line_.empty()) {
    state_ = State::kEnd;
    return {};
  }
  trailer_bytes_ += line_.size() + 2;
  if (trailer_bytes_ > kTrailersMax) return Refuse(400, "the trailers are too large");
  auto field = http1::ParseFieldLine(line_);
  if (!field) return std::unexpected(std::move(field).error());
  for (const std::string_view name :
       {"Content-Length", "Transfer-Encoding", "Host", "Connection", "Trailer", "Authorization", "Proxy-Authorization",
        "Content-Encoding", "Content-Type", "Content-Range"}) {
    if (FieldNameIs(field->name, name)) return Refuse(400, "a trailer that only a header may be");
  }
  trailers_.push_back(*std::move(field));
  return {};
}

Http1Result<ChunkedStep> ChunkedReader::Next(std::string_view input) {
  std::size_t consumed = 0;
  while (state_ != State::kEnd) {
    if (state_ == State::kData) {
      if (consumed == input.size()) return ChunkedStep{ChunkedStep::Kind::kNeedMore, consumed, {}, left_bytes_};
      const std::string_view data =
          input.substr(consumed, std::min<std::uint64_t>(left_bytes_, input.size() - consumed));
      left_bytes_ -= data.size();
      if (left_bytes_ == 0) state_ = State::kDataEnd;
      return ChunkedStep{ChunkedStep::Kind::kData, consumed + data.size(), data, left_bytes_};
    }
    const auto complete = Line(input, consumed);
    if (!complete) return std::unexpected(complete.error());
    if (state_ == State::kDataEnd && !line_.empty() && line_ != "\r") {
      return Refuse(400, "a chunk is longer than its size");
    }
    if (!*complete) return ChunkedStep{ChunkedStep::Kind::kNeedMore, consumed, {}, 0};
    Http1Result<> read;
    switch (state_) {
      case State::kSize:
        read = SizeLine();
        break;
      case State::kTrailer:
        read = TrailerLine();
        break;
      case State::kDataEnd:
        state_ = State::kSize;
        break;
      case State::kData:
      case State::kEnd:
        break;
    }
    if (!read) return std::unexpected(read.error());
    line_.clear();
  }
  return ChunkedStep{ChunkedStep::Kind::kEnd, consumed, {}, 0};
}

std::string ChunkHeader(std::uint64_t size_bytes) { return fmt::format("{:x}\r\n", size_bytes); }

}  // namespace writ::net

#include "net/http1.h"
#include "net/http1_text.h"

namespace writ::net {
namespace {

using http1::Refuse;

constexpr std::size_t kMethodMax = 32;

/// "HTTP/1.0" or "HTTP/1.1" to the minor number.
Http1Result<unsigned> ParseVersion(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  const bool shaped =
      text.size() == 8 && text.starts_with("HTTP/") && digit(text[5]) && text[6] == '.' && digit(text[7]);
  if (shaped) return Refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  return Refuse(400, "the first line does not end in an HTTP version");
}

/// Lines of a complete head one by one, without their line ends; the last one is empty.
class Lines {
 public:
  explicit Lines(std::string_view head) : rest_(head) {}
  Http1Result<std::string_view> Next() {
    const std::size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) return Refuse(400, "the head is not complete");
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    if (!http1::IsText(line)) return Refuse(400, "the head has a control character");
    return line;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

Http1Result<Http1Fields> ParseFields(Lines& lines) {
  Http1Fields fields;
  for (;;) {
    const auto line = lines.Next();
    if (!line) return std::unexpected(line.error());
    if (line->empty()) break;
    auto field = http1::ParseFieldLine(*line);
    if (!field) return std::unexpected(std::move(field).error());
    fields.push_back(*std::move(field));
  }
  if (!lines.at_end()) return Refuse(400, "bytes follow the head");
  return fields;
}

Http1Result<std::string> WriteFields(std::string start_line, const Http1Fields& fields) {
  for (const Http1Field& field : fields) {
    if (!http1::IsToken(field.name) || !http1::IsText(field.value) || http1::TrimOws(field.value) != field.value) {
      return Refuse(500, "a header field cannot be written");
    }
    start_line += field.name;
    start_line += ": ";
    start_line += field.value;
    start_line += "\r\n";
  }
  return start_line + "\r\n";
}

}  // namespace

namespace http1 {

std::string_view TrimOws(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

Http1Result<Http1Field> ParseFieldLine(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) return Refuse(400, "a header field is folded over lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Refuse(400, "a header line has no colon");
  const std::string_view name = line.substr(0, colon);
  if (!IsToken(name)) return Refuse(400, "a header name has a character that names do not have");
  if (!IsText(line)) return Refuse(400, "a header value has a control character");
  return Http1Field{std::string(name), std::string(TrimOws(line.substr(colon + 1)))};
}

}  // namespace http1

Http1Result<bool> Http1HeadScanner::EndLine(std::size_t end) {
  const std::size_t length = end - line_start_;
  if (length == 0) {
    if (lines_ == 0) return Refuse(400, "the message starts with an empty line");
    return true;
  }
  if (lines_ == 0 && length > limits_.start_line_bytes_max) return Refuse(414, "the first line is too long");
  if (lines_ > limits_.fields_max) return Refuse(431, "there are too many header fields");
  ++lines_;
  return false;
}

Http1Result<std::optional<std::size_t>> Http1HeadScanner::Scan(std::string_view buffer) {
  while (scanned_ < buffer.size()) {
    const char c = buffer[scanned_];
    if (scanned_ >= limits_.head_bytes_max) return Refuse(431, "the header is too large");
    if (lines_ == 0 && scanned_ - line_start_ > limits_.start_line_bytes_max) {
      return Refuse(414, "the first line is too long");
    }
    if (c == '\r') {
      if (scanned_ + 1 == buffer.size()) return std::nullopt;  // the byte after it decides
      if (buffer[scanned_ + 1] != '\n') return Refuse(400, "a CR without LF");
      const auto last = EndLine(scanned_);
      if (!last) return std::unexpected(last.error());
      scanned_ += 2;
      line_start_ = scanned_;
      if (*last) return scanned_;
      continue;
    }
    if (c == '\n') return Refuse(400, "a LF without CR");
    if (!http1::IsTextByte(c)) return Refuse(400, "a control character");
    if (scanned_ == line_start_ && (c == ' ' || c == '\t')) {
      return Refuse(400, lines_ == 0 ? "the message starts with white space" : "a header field is folded over lines");
    }
    if (scanned_ == 0 && !http1::IsTokenByte(c)) return Refuse(400, "this is not HTTP");
    ++scanned_;
  }
  return std::nullopt;
}

Http1Result<Http1RequestHead> ParseRequestHead(std::string_view head) {
  Lines lines(head);
  const auto line = lines.Next();
  if (!line) return std::unexpected(line.error());
  const std::size_t first = line->find(' ');
  const std::size_t last = line->rfind(' ');
  if (first == std::string_view::npos || first == last)
    return Refuse(400, "the first line is not METHOD TARGET VERSION");
  Http1RequestHead request;
  request.method = line->substr(0, first);
  request.target = line->substr(first + 1, last - first - 1);
  const auto minor = ParseVersion(line->substr(last + 1));
  if (!http1::IsToken(request.method)) return Refuse(400, "the method has a character that methods do not have");
  if (request.method.size() > kMethodMax) return Refuse(501, "the method is unknown");
  if (!http1::IsTarget(request.target)) return Refuse(400, "the target has a space or is not ASCII");
  if (!minor) return std::unexpected(minor.error());
  request.minor = *minor;
  auto fields = ParseFields(lines);
  if (!fields) return std::unexpected(std::move(fields).error());
  request.fields = *std::move(fields);
  const std::size_t hosts = CountFields(request.fields, "Host");
  if (hosts > 1) return Refuse(400, "there is more than one Host");
  if (hosts == 0 && request.minor == 1) return Refuse(400, "there is no Host");
  return request;
}

Http1Result<Http1ResponseHead> ParseResponseHead(std::string_view head) {
  Lines lines(head);
  const auto line = lines.Next();
  if (!line) return std::unexpected(line.error());
  const auto minor = ParseVersion(line->substr(0, 8));
  if (!minor) return std::unexpected(minor.error());
  Http1ResponseHead response;
  response.minor = *minor;
  const std::string_view rest = line->substr(std::min<std::size_t>(8, line->size()));  // " 200 OK", " 200"
  const auto digit = [&](std::size_t at) { return rest[at] >= '0' && rest[at] <= '9'; };
  if (rest.size() < 4 || rest[0] != ' ' || !digit(1) || !digit(2) || !digit(3) || (rest.size() > 4 && rest[4] != ' ')) {
    return Refuse(400, "the first line is not VERSION STATUS REASON");
  }
  response.status = static_cast<unsigned>((rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0'));
  if (response.status < 100 || response.status > 599) return Refuse(400, "the status is not 100..599");
  if (rest.size() > 5) response.reason = rest.substr(5);
  auto fields = ParseFields(lines);
  if (!fields) return std::unexpected(std::move(fields).error());
  response.fields = *std::move(fields);
  return response;
}

Http1Result<std::string> WriteRequestHead(const Http1RequestHead& head) {
  if (!http1::IsToken(head.method) || !http1::IsTarget(head.target) || head.minor > 1) {
    return Refuse(500, "a request line cannot be written");
  }
  return WriteFields(head.method + " " + head.target + " HTTP/1." + std::to_string(head.minor) + "\r\n", head.fields);
}

Http1Result<std::string> WriteResponseHead(const Http1ResponseHead& head) {
  if (head.status < 100 || head.status > 599 || !http1::IsText(head.reason) || head.minor > 1) {
    return Refuse(500, "a status line cannot be written");
  }
  return WriteFields(
      "HTTP/1." + std::to_string(head.minor) + " " + std::to_string(head.status) + " " + head.reason + "\r\n",
      head.fields);
}

}  // namespace writ::net

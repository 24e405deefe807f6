#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http1.h"
#include "net/http1_body.h"

namespace {

using namespace writ::net;

/// A head reads the same in pieces and at once, and reads back as it was once it is written.
void Heads(std::string_view text, std::size_t piece) {
  const Http1Limits limits{.start_line_bytes_max = 200, .head_bytes_max = 2000, .fields_max = 10};
  Http1HeadScanner whole(limits), pieces(limits);
  const auto length = whole.Scan(text);
  Http1Result<std::optional<std::size_t>> last = std::nullopt;
  for (std::size_t end = 0; end < text.size() && last && !*last;) {
    end = std::min(text.size(), end + piece);
    last = pieces.Scan(text.substr(0, end));
  }
  if (text.empty()) last = length;
  if (last.has_value() != length.has_value() || (last && *last != *length)) std::abort();
  if (!length || !*length) return;
  const std::string_view head = text.substr(0, **length);
  if (const auto request = ParseRequestHead(head)) {
    const auto written = WriteRequestHead(*request);
    const auto again = written ? ParseRequestHead(*written) : std::unexpected(written.error());
    if (!again || again->target != request->target || again->fields != request->fields) std::abort();
    const auto body = RequestBody(*request);
    const auto same = RequestBody(*again);
    if (body.has_value() != same.has_value() || (body && *body != *same)) std::abort();
    if (const auto target = ParseRequestTarget(*request); target && target->form == Http1Target::Form::kAbsolute) {
      if (!target->path.starts_with('/') || target->hostname.empty()) std::abort();
    }
    Http1Fields fields = request->fields;
    RemoveHopByHop(fields);
    if (CountFields(fields, "Host") != CountFields(request->fields, "Host")) std::abort();
  }
  if (const auto response = ParseResponseHead(head)) {
    const auto written = WriteResponseHead(*response);
    const auto again = written ? ParseResponseHead(*written) : std::unexpected(written.error());
    if (!again || again->status != response->status || again->fields != response->fields) std::abort();
    static_cast<void>(ResponseBody(*response, "GET"));
  }
}

/// Content of a chunked body, with "!" when it is refused and "." at its end.
std::string Content(std::string_view text, std::size_t piece) {
  ChunkedReader reader;
  std::string content;
  for (std::size_t at = 0, end = 0; at < text.size() || end < text.size();) {
    end = std::min(text.size(), std::max(end, at) + piece);
    for (;;) {
      const auto step = reader.Next(text.substr(at, end - at));
      if (!step) return content + "!";
      if (step->consumed_bytes > end - at || step->data.size() > step->consumed_bytes) std::abort();
      at += step->consumed_bytes;
      content += step->data;
      if (step->kind == ChunkedStep::Kind::kEnd) return content + ".";
      if (step->kind == ChunkedStep::Kind::kNeedMore) break;
    }
    if (at != end) std::abort();  // whatever is not an error is taken
  }
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 64 + 1U;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  Heads(text, piece);
  if (Content(text, piece) != Content(text, 1U << 20)) std::abort();
  return 0;
}

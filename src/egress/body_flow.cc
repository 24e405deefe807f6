#include "egress/body_flow.h"

#include <algorithm>

namespace writ::egress {

net::Http1Result<std::size_t> BodyFlow::Take(std::string_view in, std::string& out) {
  if (done_) return 0;
  if (body_.framing == net::BodyFraming::kUntilClose) {
    out += in;
    return in.size();
  }
  if (body_.framing == net::BodyFraming::kLength) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), body_.length_bytes));
    out += in.substr(0, count);
    body_.length_bytes -= count;
    done_ = body_.length_bytes == 0;
    return count;
  }
  std::size_t used = 0;
  for (;;) {
    const auto step = chunks_.Next(in.substr(used));
    if (!step) return std::unexpected(step.error());
    used += step->consumed_bytes;
    if (step->kind == net::ChunkedStep::Kind::kNeedMore) return used;
    if (step->kind == net::ChunkedStep::Kind::kData) {
      if (step->data.empty()) continue;
      out += net::ChunkHeader(step->data.size());
      out += step->data;
      out += "\r\n";
      continue;
    }
    out += "0\r\n";
    for (const auto& field : chunks_.trailers()) out += field.name + ": " + field.value + "\r\n";
    out += "\r\n";
    done_ = true;
    return used;
  }
}

}  // namespace writ::egress

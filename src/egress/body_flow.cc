#include "egress/body_flow.h"

#include <algorithm>

#include "crypto/secret.h"

namespace writ::egress {

void BodyFlow::Frame(std::string_view content, std::string& out) const {
  if (content.empty()) return;
  const bool chunked = framing_ == net::BodyFraming::kChunked;
  if (chunked) out += net::ChunkHeader(content.size());
  out += content;
  if (chunked) out += "\r\n";
}

net::Http1Result<> BodyFlow::Pass(std::string_view content, std::string& out) {
  if (!filter_) {
    Frame(content, out);
    return {};
  }
  std::string changed;
  auto written = filter_->Write(content, changed);
  if (written) Frame(changed, out);
  crypto::Wipe(changed);
  return written;
}

void BodyFlow::End(std::string& out) {
  if (done_) return;
  done_ = true;
  if (filter_) {
    std::string rest;
    filter_->Finish(rest);
    Frame(rest, out);
    crypto::Wipe(rest);
  }
  if (framing_ != net::BodyFraming::kChunked) return;
  out += "0\r\n";
  for (auto& field : trailers_) {
    out += field.name + ": " + field.value + "\r\n";
    if (filter_) crypto::Wipe(field.value);
  }
  out += "\r\n";
}

net::Http1Result<> BodyFlow::EndChunked(std::string& out) {
  trailers_ = chunks_.trailers();
  auto changed = filter_ ? filter_->ChangeTrailers(trailers_) : net::Http1Result<>();
  if (changed) End(out);
  return changed;
}

net::Http1Result<std::size_t> BodyFlow::Take(std::string_view in, std::string& out) {
  if (done_) return 0;
  if (body_.framing == net::BodyFraming::kUntilClose) {
    if (auto passed = Pass(in, out); !passed) return std::unexpected(passed.error());
    return in.size();
  }
  if (body_.framing == net::BodyFraming::kLength) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), body_.length_bytes));
    if (auto passed = Pass(in.substr(0, count), out); !passed) return std::unexpected(passed.error());
    body_.length_bytes -= count;
    if (body_.length_bytes == 0) End(out);
    return count;
  }
  std::size_t used = 0;
  for (;;) {
    const auto step = chunks_.Next(in.substr(used));
    if (!step) return std::unexpected(step.error());
    used += step->consumed_bytes;
    if (step->kind == net::ChunkedStep::Kind::kNeedMore) return used;
    if (step->kind == net::ChunkedStep::Kind::kData) {
      if (auto passed = Pass(step->data, out); !passed) return std::unexpected(passed.error());
      continue;
    }
    if (auto ended = EndChunked(out); !ended) return std::unexpected(ended.error());
    return used;
  }
}

}  // namespace writ::egress

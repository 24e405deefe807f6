#include "http/body_reader.h"

namespace writ::http {

net::Http1Result<BodyReader::Step> BodyReader::Next(std::string_view input) {
  Step step;
  if (body_.framing == net::BodyFraming::kChunked) {
    const auto chunk = chunks_.Next(input);
    if (!chunk) return std::unexpected(chunk.error());
    step.consumed_bytes = chunk->consumed_bytes;
    step.data = chunk->data;
    step.need_more = chunk->kind == net::ChunkedStep::Kind::kNeedMore;
    step.done = chunk->kind == net::ChunkedStep::Kind::kEnd;
  } else {
    step.data = input.substr(0, static_cast<std::size_t>(left_bytes_ < input.size() ? left_bytes_ : input.size()));
    step.consumed_bytes = step.data.size();
    left_bytes_ -= step.data.size();
    step.done = left_bytes_ == 0;
    step.need_more = !step.done;
  }
  done_ = step.done;
  return step;
}

}  // namespace writ::http

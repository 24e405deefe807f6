#include "client/run_stream.h"

#include "base/bytes.h"
#include "client/plane_answers.h"
#include "contract/object_reader.h"

namespace writ::client {

Result<std::optional<LogPiece>> DecodeLogEvent(const net::ServerEvent& event) {
  if (event.name == "end" || event.name == "ping") return std::nullopt;
  const auto json = canon::Parse(event.data, canon::Mode::kWire, {.bytes_max = net::EventStreamReader::kEventBytesMax});
  if (!json || !json->is_object()) return Fail(Code::kCorrupt, "live output: an event is no JSON object");
  if (!json->Find("data")) return std::nullopt;
  contract::ObjectReader reader(*json, "live output");
  std::optional<std::string> stream;
  std::string data;
  LogPiece piece;
  reader.Text("stream", stream, 1, 16);
  reader.Integer("offset", piece.offset);
  reader.Text("data", data, 0, net::EventStreamReader::kEventBytesMax);
  if (auto done = reader.Finish(); !done) return Fail(Code::kCorrupt, "{}", done.error().what);
  const std::string name = stream.value_or(event.name);
  if (name != "stdout" && name != "stderr") return Fail(Code::kCorrupt, "live output: an event is of no stream that is known");
  piece.stream = name == "stdout" ? isolation::Stream::kStdout : isolation::Stream::kStderr;
  auto bytes = Base64DecodeLenient(data);
  if (!bytes) return Fail(Code::kCorrupt, "live output: data is no base64");
  piece.bytes = *std::move(bytes);
  return piece;
}

std::string_view LogJoiner::Take(const LogPiece& piece) {
  const std::size_t i = Index(piece.stream);
  const std::string_view bytes = piece.bytes;
  if (gap_[i]) return {};
  if (piece.offset > passed_[i]) {
    gap_[i] = true;
    return {};
  }
  const std::uint64_t repeated = passed_[i] - piece.offset;
  if (repeated >= bytes.size()) return {};
  passed_[i] += bytes.size() - repeated;
  return bytes.substr(repeated);
}

Result<> FollowLog(remote::PlaneConnection& plane, std::string_view run_id, const std::function<Result<>(const LogPiece&)>& piece,
                   Deadline deadline) {
  if (!IsRunId(run_id)) return Fail(Code::kInvalid, "what was given is no run id");
  return plane.Follow(
      fmt::format("/v1/runs/{}/log/stream", run_id),
      [&](const net::ServerEvent& event) -> Result<bool> {
        if (event.name == "end") return false;
        const auto decoded = WRIT_TRY("follow", DecodeLogEvent(event));
        if (decoded) WRIT_TRY("follow", piece(*decoded));
        return true;
      },
      deadline);
}

}  // namespace writ::client

#include <string>

#include "api/plane/gate.h"
#include "api/plane/plane_worker.h"

namespace writ::api {

using plane::Answer;

void PlaneWorker::RunFollow(Job& job) {
  const auto judge = [&]() -> Answer<> {
    WRIT_ANSWER(Admit(core_, job.call.authorization, job.call.address, plane::Capability::kRunsRead));
    RouteMatch match;
    const bool log = MatchPattern("/v1/runs/{run}/log/stream", job.call.path, match);
    if (!log && !MatchPattern("/v1/runs/{run}/events/stream", job.call.path, match))
      return plane::Plain(404, fmt::format("no route for {} {}", job.call.method, job.call.path));
    const std::string_view id = match.parameters[0];
    const auto run = core_.store.GetRun(id);
    if (!run && run.error().code == Code::kNotFound) return plane::Plain(404, "run not found");
    if (!run) return std::unexpected(plane::FromError(run.error()));
    if (followers_.full()) return plane::Plain(429, "too many followers");
    const bool ended = storage::IsTerminal(run->status);
    if (log) {
      for (const auto& piece : logs_.Pieces(id))
        if (!Followers::SendPiece(*job.sink, piece)) return {};
      if (ended) job.sink->End("ended");
      else followers_.AddToLog(id, job.sink);
      return {};
    }
    std::uint64_t next = 0;
    for (const auto& [name, value] : job.call.query) {
      if (name != "from") continue;
      const bool digits = !value.empty() && value.size() <= 15 && value.find_first_not_of("0123456789") == value.npos;
      if (!digits) return plane::BadRequest("from must be a sequence number");
      next = std::stoull(value);
    }
    static constexpr std::size_t kPage = 1000;
    for (;;) {
      const auto texts = WRIT_ANSWER(core_.store.Events(id, next, kPage));
      for (const auto& text : texts)
        if (!Followers::SendEvent(*job.sink, next++, text)) return {};
      if (texts.size() < kPage) break;
    }
    if (ended) job.sink->End("ended");
    else followers_.AddToEvents(id, job.sink, next);
    return {};
  };
  const auto judged = judge();
  job.answer = judged ? PlaneReply{} : ReplyFor(judged.error());
}

}  // namespace writ::api

#include "api/plane/followers.h"

#include "base/bytes.h"
#include "canon/json.h"

namespace writ::api {
namespace {

bool KeptUp(FollowSink& sink) {
  if (sink.Backlog() <= kFollowBacklogMax) return true;
  sink.End("slow");
  return false;
}

}  // namespace

bool Followers::SendEvent(FollowSink& sink, std::uint64_t seq, std::string_view text) {
  sink.Event(std::to_string(seq), "event", text);
  return KeptUp(sink);
}

bool Followers::SendPiece(FollowSink& sink, const LogPiece& piece) {
  const canon::Json json = canon::Json::Of(
      {{"stream", piece.stream}, {"offset", piece.offset}, {"data", Base64Encode(AsBytes(piece.bytes))}});
  sink.Event(std::to_string(piece.number), "log", canon::Compact(json));
  return KeptUp(sink);
}

void Followers::AddToEvents(std::string_view run_id, std::shared_ptr<FollowSink> sink, std::uint64_t next) {
  events_[std::string(run_id)].push_back({std::move(sink), next});
  ++count_;
}

void Followers::AddToLog(std::string_view run_id, std::shared_ptr<FollowSink> sink) {
  logs_[std::string(run_id)].push_back({std::move(sink), 0});
  ++count_;
}

void Followers::Appended(std::string_view run_id, std::uint64_t first_seq, std::vector<std::string> texts) {
  const auto found = events_.find(run_id);
  if (found == events_.end()) return;
  count_ -= std::erase_if(found->second, [&](Follower& follower) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (first_seq + i < follower.next) continue;
      follower.next = first_seq + i + 1;
      if (!SendEvent(*follower.sink, first_seq + i, texts[i])) return true;
    }
    return false;
  });
  if (found->second.empty()) events_.erase(found);
}

void Followers::Wrote(std::string_view run_id, const LogPiece& piece) {
  const auto found = logs_.find(run_id);
  if (found == logs_.end()) return;
  count_ -= std::erase_if(found->second, [&](Follower& follower) { return !SendPiece(*follower.sink, piece); });
  if (found->second.empty()) logs_.erase(found);
}

void Followers::End(ByRun& all, std::string_view run_id, std::string_view why) {
  const auto found = all.find(run_id);
  if (found == all.end()) return;
  for (const auto& follower : found->second) follower.sink->End(why);
  count_ -= found->second.size();
  all.erase(found);
}

void Followers::RunEnded(std::string_view run_id) {
  End(events_, run_id, "ended");
  End(logs_, run_id, "ended");
}

void Followers::EndAll(std::string_view why) {
  for (auto* all : {&events_, &logs_})
    while (!all->empty()) End(*all, std::string(all->begin()->first), why);
}

}  // namespace writ::api

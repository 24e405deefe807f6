#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/plane/live_logs.h"
#include "api/plane/plane_service.h"
#include "plane/chain_book.h"

namespace writ::api {

/// Who follows which run's events or output. On the plane's thread.
class Followers final : public plane::ChainWatcher {
 public:
  static constexpr std::size_t kFollowersMax = 4096;

  /// Forgets those that have gone before it says so.
  bool full() {
    if (count_ < kFollowersMax) return false;
    for (auto* all : {&events_, &logs_}) {
      for (auto at = all->begin(); at != all->end();) {
        count_ -= std::erase_if(at->second, [](const Follower& one) { return one.sink->Backlog() > kFollowBacklogMax; });
        at = at->second.empty() ? all->erase(at) : std::next(at);
      }
    }
    return count_ >= kFollowersMax;
  }
  /// Adds a follower of a run's events. `next`: the entry it gets next.
  void AddToEvents(std::string_view run_id, std::shared_ptr<FollowSink> sink, std::uint64_t next);
  void AddToLog(std::string_view run_id, std::shared_ptr<FollowSink> sink);

  bool Watches(std::string_view run_id) const override { return events_.contains(run_id); }
  void Appended(std::string_view run_id, std::uint64_t first_seq, std::vector<std::string> texts) override;
  void Wrote(std::string_view run_id, const LogPiece& piece);
  /// The run has ended: nothing more comes.
  void RunEnded(std::string_view run_id);
  void EndAll(std::string_view why);

  /// False when the sink was too slow and has been ended.
  static bool SendPiece(FollowSink& sink, const LogPiece& piece);
  static bool SendEvent(FollowSink& sink, std::uint64_t seq, std::string_view text);

 private:
  struct Follower {
    std::shared_ptr<FollowSink> sink;
    std::uint64_t next = 0;
  };
  using ByRun = std::map<std::string, std::vector<Follower>, std::less<>>;
  void End(ByRun& all, std::string_view run_id, std::string_view why);

  ByRun events_, logs_;
  std::size_t count_ = 0;
};

}  // namespace writ::api

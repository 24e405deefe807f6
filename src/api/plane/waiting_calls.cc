#include "api/plane/waiting_calls.h"

namespace writ::api {

void WaitingCalls::Add(std::string_view pool, std::unique_ptr<Job> job) {
  auto found = pools_.find(pool);
  if (found == pools_.end()) found = pools_.emplace(pool, Places()).first;
  Places& places = found->second;
  const MonoTime until = job->waits_until;
  const auto place = places.insert(places.end(), Place{.job = std::move(job)});
  place->end = ends_.emplace(until, std::pair(&places, place));
}

std::unique_ptr<Job> WaitingCalls::Remove(Places& places, Places::iterator place) {
  std::unique_ptr<Job> job = std::move(place->job);
  ends_.erase(place->end);
  places.erase(place);
  return job;
}

std::optional<MonoTime> WaitingCalls::NextEnd() const {
  if (ends_.empty()) return std::nullopt;
  return ends_.begin()->first;
}

std::vector<std::unique_ptr<Job>> WaitingCalls::TakeOf(std::string_view waiter) {
  std::vector<std::unique_ptr<Job>> taken;
  for (auto& [pool, places] : pools_) {
    for (auto at = places.begin(); at != places.end();) {
      const auto place = at++;
      if (place->job->waiter == waiter) taken.push_back(Remove(places, place));
    }
  }
  std::erase_if(pools_, [](const auto& entry) { return entry.second.empty(); });
  return taken;
}

std::vector<std::unique_ptr<Job>> WaitingCalls::TakeEnded(MonoTime now, bool all) {
  std::vector<std::unique_ptr<Job>> taken;
  while (!ends_.empty() && (all || ends_.begin()->first <= now)) {
    const auto [places, place] = ends_.begin()->second;
    taken.push_back(Remove(*places, place));
  }
  if (now - looked_ >= kLookForGone) {
    looked_ = now;
    for (auto& [pool, places] : pools_) {
      for (auto at = places.begin(); at != places.end();) {
        const auto place = at++;
        if (Gone(*place->job)) taken.push_back(Remove(places, place));
      }
    }
    std::erase_if(pools_, [](const auto& entry) { return entry.second.empty(); });
  }
  return taken;
}

}  // namespace writ::api

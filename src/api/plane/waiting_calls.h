#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/plane/job.h"
#include "base/clock.h"

namespace writ::api {

/// Long polls: calls that have no answer yet, by pool, or by run (`/` and its id), in order of arrival. Whatever many wait, a moment at which nothing
/// happens to them costs nothing. The plane's thread.
class WaitingCalls {
 public:
  static constexpr std::size_t kMax = 10000;
  /// How long a call whose peer has gone may stay before that is noticed, when nothing else happens to it.
  static constexpr Millis kLookForGone{1000};

  bool full() const { return ends_.size() >= kMax; }
  std::size_t size() const { return ends_.size(); }
  /// Precondition: not full.
  void Add(std::string_view pool, std::unique_ptr<Job> job);
  /// The first moment at which a call has waited long enough.
  std::optional<MonoTime> NextEnd() const;
  /// Takes out the calls that have waited long enough and those whose peer has gone; all of them with `all`.
  std::vector<std::unique_ptr<Job>> TakeEnded(MonoTime now, bool all);
  /// Takes out the calls of one runner.
  std::vector<std::unique_ptr<Job>> TakeOf(std::string_view waiter);
  bool Has(std::string_view pool) const { return pools_.contains(pool); }
  /// Takes out, of a pool, the calls whose peer has gone and those that are wanted now (Job::wanted), and calls `ask` with
  /// each in order while that returns true. The others keep their places, and those that `ask` puts back come last.
  template <class Ask>
  void AskAgain(std::string_view pool, Ask ask) {
    const auto found = pools_.find(pool);
    if (found == pools_.end()) return;
    std::size_t left = found->second.size();
    for (auto at = found->second.begin(); left > 0; --left) {
      const auto place = at++;
      if (!Gone(*place->job) && place->job->wanted && !place->job->wanted()) continue;
      if (!ask(Remove(found->second, place))) break;
    }
    if (found->second.empty()) pools_.erase(found);
  }
  static bool Gone(const Job& job) { return job.call.gone && job.call.gone->load(); }

 private:
  struct Place;
  using Places = std::list<Place>;
  using Ends = std::multimap<MonoTime, std::pair<Places*, Places::iterator>>;
  struct Place {
    std::unique_ptr<Job> job;
    Ends::iterator end{};
  };
  std::unique_ptr<Job> Remove(Places& places, Places::iterator place);

  std::map<std::string, Places, std::less<>> pools_;
  Ends ends_;
  MonoTime looked_{};
};

}  // namespace writ::api

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "plane/change.h"
#include "plane/claim_token.h"
#include "plane/end_times.h"
#include "storage/store.h"

namespace writ::plane {

/// A runner's hold on a run. It ends by the monotonic clock, so a jump of the wall clock takes no run from its runner;
/// after a restart of the plane each one begins anew.
struct HeldRun {
  std::string runner_id;
  std::string claim_id;  ///< nonce of its claim tokens
  std::uint32_t attempt = 1;
  bool renewable = true;
  MonoTime ends_at{};
  std::optional<std::string> stop{};  ///< why the runner is asked to end it
  /// The claim token that was judged last, and what it says: a runner sends the same one with each post, and checking its
  /// signature costs more than storing an event.
  std::string judged_text{};
  ClaimToken judged{};
};

class LeaseBook {
 public:
  void Add(std::string_view run_id, HeldRun held);
  std::optional<HeldRun> Remove(std::string_view run_id);
  HeldRun* Find(std::string_view run_id);
  void Renew(std::string_view run_id, MonoTime ends_at);  ///< no effect when not renewable or not held

  std::optional<MonoTime> NextEnd() const { return ends_.Next(); }
  std::vector<std::string> EndedBy(MonoTime now, std::size_t limit) const { return ends_.EndedBy(now, limit); }
  std::size_t size() const { return held_.size(); }

 private:
  std::map<std::string, HeldRun, std::less<>> held_;
  EndTimes<MonoTime> ends_;
};

}  // namespace writ::plane

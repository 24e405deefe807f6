#include "contract/cross_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "contract/evidence_text.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kWarningsMax = 50;

class CrossChecker {
 public:
  CrossChecker(const Json& contract, const Json& receipt, const Json& events, std::vector<std::string>& warnings)
      : contract_(contract), receipt_(receipt), events_(events), warnings_(warnings) {}

  void Run() {
    Walk();
    CompareLists();
    CompareTimes();
    CompareTiers();
  }

 private:
  using Key = std::pair<std::string_view, std::string_view>;

  void Warn(std::string text) {
    if (warnings_.size() < kWarningsMax) warnings_.push_back(std::move(text));
  }

  void Walk() {
    bool asked = false, granted = false;
    std::string_view previous;
    bool backwards = false;
    for (const Json& entry : events_.array()) {
      const Json* event = entry.Find("event");
      const std::string_view type = TextOf(event, "type"), ts = TextOf(&entry, "ts");
      if (ts < previous && !backwards) {
        backwards = true;
        Warn(fmt::format("the clock ran backwards: an event at {} follows one at {}", ts, previous));
      }
      previous = ts;
      if (type == "network.connected") {
        network_.emplace_back(TextOf(event, "host"), TextOf(event, "decision"));
      } else if (type == "boundary.crossed") {
        boundaries_.emplace_back(TextOf(event, "dataClass"), TextOf(event, "contentHash"));
      } else if (type == "model.called") {
        models_.emplace_back(TextOf(event, "provider"), TextOf(event, "model"));
      } else if (type == "policy.evaluated") {
        asked = asked || TextOf(event, "decision") == "ask";
      } else if (type == "consent.granted") {
        granted = true;
      } else if (type == "run.claimed") {
        CheckClaim(*event, ts);
      }
    }
    if (asked && !granted) Warn("policy asked for consent, and no consent was granted");
    const Json* approved = contract_.Find("approvedBy");
    if (granted && (approved == nullptr || !approved->is_array() || approved->array().empty())) {
      Warn("a consent was granted, and the contract names no approver");
    }
  }

  void CheckClaim(const Json& event, std::string_view ts) {
    if (TextOf(&event, "runnerKeyId") != TextOf(receipt_.Find("runner"), "keyId")) {
      Warn("the run was claimed with another runner key than the receipt is signed with");
    }
    const std::string_view expires = TextOf(&contract_, "expiresAt");
    if (ts > expires) Warn(fmt::format("the run was claimed at {}, after the contract expired at {}", ts, expires));
  }

  /// Compares a list of the receipt with what the chain says, each pair counted once.
  void Compare(std::string_view list, std::string_view type, std::vector<Key>& seen, std::string_view first, std::string_view second) {
    std::vector<Key> stated;
    if (const Json* items = receipt_.Find(list); items != nullptr && items->is_array()) {
      for (const Json& item : items->array()) stated.emplace_back(TextOf(&item, first), TextOf(&item, second));
    }
    for (auto* keys : {&seen, &stated}) {
      std::ranges::sort(*keys);
      keys->erase(std::ranges::unique(*keys).begin(), keys->end());
    }
    std::vector<Key> difference;
    std::ranges::set_difference(seen, stated, std::back_inserter(difference));
    if (!difference.empty()) {
      Warn(fmt::format("receipt.{} leaves out {} of the {} events, the first is {} {}", list, difference.size(), type,
                       difference.front().first, difference.front().second));
    }
    difference.clear();
    std::ranges::set_difference(stated, seen, std::back_inserter(difference));
    if (!difference.empty()) {
      Warn(fmt::format("receipt.{} states {} {}, for which there is no {} event", list, difference.front().first,
                       difference.front().second, type));
    }
  }

  void CompareLists() {
    Compare("networkAccessed", "network.connected", network_, "host", "decision");
    Compare("boundaryDisclosures", "boundary.crossed", boundaries_, "dataClass", "contentHash");
    Compare("modelsUsed", "model.called", models_, "provider", "model");
  }

  void CompareTimes() {
    const auto& entries = events_.array();
    if (entries.empty()) return;
    if (TextOf(&receipt_, "startedAt") != TextOf(&entries.front(), "ts") || TextOf(&receipt_, "endedAt") != TextOf(&entries.back(), "ts")) {
      Warn("startedAt and endedAt of the receipt are not the times of the first and the last event");
    }
  }

  void CompareTiers() {
    const Json* asked = contract_.Find("writ");
    if (asked == nullptr) return;
    const Json* ran = receipt_.Find("writ");
    if (ran == nullptr) return Warn("the contract sets a tier and limits, and the receipt does not say what was enforced");
    const std::string_view tier = TextOf(ran, "tier");
    if (tier != "none" && tier != TextOf(asked, "tier") && tier != TextOf(asked, "weakest")) {
      Warn(fmt::format("the run used tier {}, the contract asked for {} and accepted {}", tier, TextOf(asked, "tier"), TextOf(asked, "weakest")));
    }
    const Json* termination = ran->Find("termination");
    const std::string_view how = TextOf(termination, "how"), status = TextOf(&receipt_, "status");
    const Json* code = termination == nullptr ? nullptr : termination->Find("code");
    const bool success = how == "exited" && code != nullptr && *code == Json(0);
    if (!how.empty() && ((status == "completed" && !success) || (status == "cancelled") != (how == "cancelled"))) {
      Warn(fmt::format("the receipt has status {}, and its writ member says the run ended as {}", status, how));
    }
  }

  const Json& contract_;
  const Json& receipt_;
  const Json& events_;
  std::vector<std::string>& warnings_;
  std::vector<Key> network_, boundaries_, models_;
};

}  // namespace

void CrossCheck(const Json& contract, const Json& receipt, const Json& events, std::vector<std::string>& warnings) {
  CrossChecker(contract, receipt, events, warnings).Run();
}

}  // namespace writ::contract

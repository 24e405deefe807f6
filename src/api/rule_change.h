#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/create_run.h"
#include "api/local_plane.h"
#include "base/error.h"
#include "policy/decision.h"
#include "policy/egress.h"
#include "policy/egress_ceiling.h"

namespace writ::api {

// A change of what a running job may connect to. Whoever wants it drops a file beside the run's lock; the process that
// holds the lock reads it, decides, records, applies and answers with another file. No process id is involved.

/// Names beside the run's lock: the request that is waiting, the answer to the request `id`.
inline std::string RuleRequestName(std::string_view run_id) { return std::string(run_id) + ".net"; }
inline std::string RuleAnswerName(std::string_view run_id, std::string_view id) {
  return fmt::format("{}.netanswer-{}", run_id, id);
}

/// A request as it lies in the file.
struct RuleRequest {
  std::string id;  ///< 32 lower-case hex characters
  RuleChange change;
};
std::string EncodeRuleRequest(const RuleRequest& request);
/// Strict. Errors: kInvalid; for the rule the text of policy::ParseEgressRule.
Result<RuleRequest> DecodeRuleRequest(std::string_view text);
std::string EncodeRuleAnswer(const RuleAnswer& answer);
Result<RuleAnswer> DecodeRuleAnswer(std::string_view text);
inline constexpr std::size_t kRuleFileMax = 8192;  ///< bytes of a request

/// What becomes of a change. `next` is what the run may connect to afterwards; unchanged unless the decision allows.
struct RuleVerdict {
  policy::Decision decision;
  NetworkRequest next;
};
/// Pure: a rule may be added that the ceiling covers, and removed if it stands there as written. `open` is the word for every
/// public host. A run that was started without a network has no door that could be opened; one that people `approved` gets
/// nothing that they did not see.
RuleVerdict JudgeChange(const NetworkRequest& now, bool approved, const policy::EgressCeiling& ceiling, const RuleChange& change);

/// Rules in the form that decisions are made by. Precondition: CheckNetwork passed.
policy::EgressRules RulesOf(const NetworkRequest& network);

/// The running side of the file drop.
class RuleInbox {
 public:
  /// `runs_fd` is borrowed.
  RuleInbox(int runs_fd, std::string run_id) : runs_fd_(runs_fd), run_id_(std::move(run_id)) {}

  /// Takes the request that is waiting. A file that is no request of this user (a link, another owner, open to others, too
  /// long, unreadable) is removed and nothing happens.
  std::optional<RuleRequest> Take();
  Result<> Answer(const RuleRequest& request, const RuleAnswer& answer);

 private:
  const int runs_fd_;
  const std::string run_id_;
};

/// The asking side: leaves the request, waits for the answer. `held` says whether the run is still going on.
/// Errors: kDeadline; kInvalid when the run ended first.
Result<RuleAnswer> DropRuleRequest(int runs_fd, std::string_view run_id, const RuleChange& change, Deadline deadline,
                                   const std::function<Result<bool>()>& held);

}  // namespace writ::api

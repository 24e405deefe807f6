#pragma once

#include <optional>
#include <string>

#include "api/local_state.h"
#include "api/rule_change.h"
#include "session/egress_order.h"

namespace writ::api {

/// Answers requests to change what a running job may connect to: decides by the ceiling of the policy that the run was
/// judged by; the decision is logged before anybody acts on it. One thread uses it.
class RuleDesk {
 public:
  /// `state` and `runs_fd` are borrowed. `granted`: what the contract lets the run connect to; `approved`: people agreed
  /// to it.
  RuleDesk(LocalState& state, int runs_fd, std::string run_id, NetworkRequest granted, bool approved,
           policy::EgressCeiling ceiling, std::string policy_hash);

  /// Takes a request if one waits and decides it: to be recorded and applied, and then reported with Applied.
  std::optional<session::RuleUpdate> Next();
  /// The update is in the chain and in force, or why it is not. An asker who has gone away is no error.
  void Applied(const Result<>& applied);

 private:
  RuleAnswer AnswerFor(bool applied, const policy::Decision& decision) const;

  LocalState& state_;
  RuleInbox inbox_;
  const std::string run_id_;
  NetworkRequest now_;
  const bool approved_;
  const policy::EgressCeiling ceiling_;
  const std::string policy_hash_;
  struct Open {
    RuleRequest request;
    RuleVerdict verdict;
  };
  std::optional<Open> open_;  ///< decided, and not yet reported
};

/// LocalPlane::ChangeRule: the asking side, for a run of this state directory.
Result<RuleAnswer> ChangeRunRule(LocalState& state, std::string_view run, const RuleChange& change, Deadline deadline);

}  // namespace writ::api

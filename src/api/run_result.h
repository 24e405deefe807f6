#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "canon/json.h"
#include "isolation/backend.h"

namespace writ::api {

enum class Verdict : std::uint8_t { kDeny, kNeedsApproval, kAllow };

/// What the policy said, for people and for --json.
struct DecisionView {
  Verdict verdict = Verdict::kDeny;
  std::vector<std::string> reasons;  ///< every denial or consent requirement, in the policy's order
  std::string rule;                  ///< the rule that spoke
  std::string grant;                 ///< the smallest grant that would change a denial; empty if none would
  std::string policy_hash;
  std::string policy_source;         ///< path of the policy file, or "local-default"
};

/// What --dry-run shows. Nothing was stored and no key was made.
struct Preview {
  DecisionView decision;
  canon::Json contract;  ///< what would be signed: unsigned, its nonce and head of the decision log left out
  std::string refusal;   ///< why the tier cannot run it here; empty when it can
  std::string tier;
  std::size_t workspace_files = 0;
  std::uint64_t workspace_bytes = 0;
};

struct OutputFact {
  std::string name;
  std::string sha256;
  std::uint64_t bytes = 0;
  std::string written_to;  ///< path under out_dir; empty when it was not asked for
};
struct ChangeFact {
  std::string path;
  std::string kind;    ///< "added", "modified", "deleted", ...
  std::string danger;  ///< why the caller's tools might execute it; empty if no reason is known
};

/// One ended run, or a decision that let none begin.
struct RunResult {
  DecisionView decision;
  std::string run_id;  ///< empty: there is no run, because the decision was kDeny
  std::string status;  ///< completed, failed, cancelled; awaiting_approval for a parked run; empty without a run
  int exit_code = 125; ///< of `writ run`: the table in docs/cli.md
  std::string problem; ///< why Writ itself decided the exit code; empty when it is the job's own
  canon::Json contract, receipt;
  isolation::Outcome outcome;
  isolation::Guarantees guarantees;  ///< what was enforced and by which mechanism
  std::size_t files_changed = 0;
  std::vector<ChangeFact> changes;   ///< the first 100
  std::vector<OutputFact> outputs;
  std::vector<std::string> undeclared;      ///< files under /out that were listed, not released; the first 100
  std::size_t undeclared_count = 0;
  std::vector<std::string> missing;         ///< declared outputs that are not there
  bool workspace_changed_meanwhile = false; ///< by somebody else, while the run was going on
};

}  // namespace writ::api

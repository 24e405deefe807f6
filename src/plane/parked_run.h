#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"
#include "plane/consent.h"
#include "policy/decision.h"
#include "storage/store.h"

/// A run that waits for consent, as the store keeps it (docs/formats/plane.md, "Approvals"): the same for a plane and for
/// one machine.
namespace writ::plane {

/// Documents of such a run (storage PutDocument).
inline constexpr std::string_view kProposalDocument = "request", kQuestionDocument = "question";

struct ParkedRun {
  storage::Run run;
  Question question;
  canon::Json proposal;
  std::vector<ConsentAnswer> answers;
};

/// What changes a store in the name of consent needs. Borrowed.
struct ConsentLedger {
  storage::Transaction& transaction;
  std::string_view decision_genesis;
  WallTime now{};
};

/// Makes the run, its documents and the entry of the decision log.
Result<> Park(const ConsentLedger& ledger, const Question& question, const canon::Json& proposal, std::string_view summary,
              const policy::Decision& decision);
/// What is asked about a run. Errors: kCorrupt when it is missing or cannot be read.
Result<Question> ReadQuestion(storage::Store& store, std::string_view run_id);
/// Errors: kCorrupt when a document is missing or cannot be read. Precondition: `run` is awaiting_approval.
Result<ParkedRun> ReadParked(storage::Store& store, storage::Run run);
/// Keeps an answer and logs it. `reason`: of a denial.
Result<> KeepAnswer(const ConsentLedger& ledger, const Question& question, const ConsentAnswer& answer, std::string_view reason);
/// Ends the run as cancelled. `why` becomes `failureMessage` of its summary.
Result<> EndParked(const ConsentLedger& ledger, const storage::Run& run, std::string_view why);
/// Logs that something else than an answer ended the question.
Result<> LogEnd(const ConsentLedger& ledger, const Question& question, std::string_view why, canon::Json detail = {});
/// From now on later runs of the kind are compared with this one.
Result<> RememberApproved(const ConsentLedger& ledger, const ParkedRun& parked);

/// The decision that asked, as it was made.
policy::Decision DecisionOf(const Question& question);
/// The object that is shown (contract/approval_view.h renders it).
Result<canon::Json> ApprovalJson(storage::Store& store, const ParkedRun& parked, WallTime now);

}  // namespace writ::plane

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "canon/json.h"
#include "plane/change.h"
#include "plane/consent.h"
#include "plane/core.h"
#include "plane/refusal.h"
#include "storage/plane_tables.h"

/// Runs that wait for consent, and how they are answered (docs/formats/plane.md, "Approvals").
namespace writ::plane {

/// What an answer's body says.
struct AnswerBody {
  std::optional<contract::ActorRef> actor;
  std::optional<std::string> idp_token;
  std::optional<std::string> digest;  ///< of what was shown
  std::string reason;                 ///< of a denial
  bool stop = false;                  ///< of a cancellation: also a run that a runner has
};
/// Errors: 400 with an issue per member.
Answer<AnswerBody> DecodeAnswerBody(const canon::Json& body);

/// Who answers: the authenticated principal, or the subject of its identity token. An administrator may name the person
/// it answers for; everybody else may only name himself. Errors: 400 `no IdP is configured for approvals`; 401 for a
/// token; 403 for another's name.
struct Voter {
  contract::ActorRef actor;
  std::string id;  ///< ConsentAnswer::voter
};
Answer<Voter> VoterOf(const Core& core, const storage::Principal& principal, const AnswerBody& body, WallTime now);

/// Errors of all: 404 `unknown run ID`; 409 `run ID is not awaiting approval`.

/// Keeps an approval. With the last one that was missing the contract is signed and the run queued.
/// Answer: `{runId, status}`, and while answers are missing `requirements`. Errors: 403 for who may not approve; 409 when
/// another digest was shown, when the policy is another now, and for a second answer.
Answer<canon::Json> ApproveRun(Core& core, Change& change, const storage::Principal& principal, std::string_view run_id,
                               const AnswerBody& body);
/// Ends the run as cancelled, with the reason. `{runId, status}`. Errors: 403 for who could not approve either, but an
/// administrator.
Answer<canon::Json> DenyRun(Core& core, Change& change, const storage::Principal& principal, std::string_view run_id,
                            const AnswerBody& body);
/// Ends a run that nobody has claimed; with `stop` asks the runner of a claimed one to end it. `{runId, status}`.
/// Errors: 404; 400 `run ID is S; only unclaimed runs can be cancelled`.
Answer<canon::Json> CancelRun(Core& core, Change& change, const storage::Principal& principal, std::string_view run_id,
                              const AnswerBody& body);

/// The approval object of one waiting run.
Answer<canon::Json> ApprovalOf(const Core& core, std::string_view run_id, WallTime now);

/// Ends what has waited too long (consent_timeout) or was asked under another policy. Says when to look again.
Answer<Millis> ExpireQuestions(Core& core, Change& change);

}  // namespace writ::plane

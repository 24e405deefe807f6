#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "contract/parts.h"
#include "policy/decision.h"

/// Consent to a run: pure rules, the same for a plane and for one machine (docs/formats/plane.md, "Approvals"). What is
/// asked about is a digest of everything that will run and the hash of the policy that asked; an answer to anything
/// else counts for nothing.
namespace writ::plane {

/// How long a question stays open when the policy's rule does not say `expires`.
inline constexpr Millis kQuestionLife = std::chrono::hours{24 * 7};
/// An answer that claims to come from later than this in the future is not counted.
inline constexpr Millis kClockLeeway = std::chrono::minutes{5};

/// A run that waits for answers.
struct Question {
  std::string run_id;
  std::string digest;       ///< of what will run
  std::string policy_hash;  ///< of the policy that asked
  contract::ActorRef requester;     ///< as the request names it
  std::string requester_principal;  ///< as it was authenticated; the same person, under the name that cannot be chosen
  WallTime asked{};
  std::vector<policy::Consent> requirements;
};

/// One answer that was kept.
struct ConsentAnswer {
  contract::ActorRef actor;
  std::string voter;        ///< how the actor was authenticated: "principal:NAME", "idp:SUBJECT", "local:NAME"
  std::string digest, policy_hash;  ///< of what was shown
  bool approves = false;
  WallTime at{};
};

/// First moment at which nobody can answer any more: the shortest `expires` of the requirements, else kQuestionLife.
WallTime EndOf(const Question& question);

/// What one requirement has and still lacks.
struct RequirementState {
  const policy::Consent* requirement = nullptr;  ///< borrowed from the question
  std::vector<const ConsentAnswer*> given;       ///< that count, in order; borrowed
  bool met = false;
};

enum class ConsentState : std::uint8_t { kOpen, kGranted, kExpired };
struct Judgement {
  ConsentState state = ConsentState::kOpen;
  std::vector<RequirementState> requirements;
  /// With kGranted: the first moment at which an answer it rests on is too old; a run that has not been claimed by then
  /// must not start.
  std::optional<WallTime> good_until;
};

/// Counts. An answer counts for a requirement when it approves exactly this digest under this policy, its actor is one
/// of `approvers`, is not the requester where that is asked, has not counted for it before under this or another name,
/// and is younger than `expires`. A question without requirements, or past its end, is never granted.
Judgement Judge(const Question& question, const std::vector<ConsentAnswer>& answers, WallTime now);

/// Why an answer cannot be taken.
enum class AnswerProblem : std::uint8_t {
  kChanged,      ///< another digest or policy was shown
  kExpired,      ///< the question has ended
  kNotApprover,  ///< no requirement lists the actor
  kRequester,    ///< it lists him, but the requester's own answer does not count
  kAgain         ///< every requirement that he could meet has his answer
};
struct AnswerRefused {
  AnswerProblem problem;
  std::string text;
};
/// Whether `answer`, an approval, would count for at least one requirement. Denying is open to whoever may approve
/// (CheckDenial).
std::optional<AnswerRefused> CheckApproval(const Question& question, const std::vector<ConsentAnswer>& answers,
                                           const ConsentAnswer& answer, WallTime now);
/// A denial counts from everybody whom some requirement lists, from the requester too.
std::optional<AnswerRefused> CheckDenial(const Question& question, const ConsentAnswer& answer, WallTime now);

/// `[{requirement, approvers, required, notRequester, given, expiresAt}]` as approvals show it.
canon::Json RequirementsJson(const Question& question, const Judgement& judgement);

/// The question as a document of the store, and back. Errors: kInvalid naming the member.
canon::Json ToJson(const Question& question);
Result<Question> DecodeQuestion(const canon::Json& json);

}  // namespace writ::plane

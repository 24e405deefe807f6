#include "plane/consent.h"

#include <gtest/gtest.h>

namespace writ::plane {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const std::string kDigest(64, 'd'), kPolicy(64, 'e');
const WallTime kAsked = *ParseTimestamp("2026-06-11T00:00:00.000Z");

policy::Consent Requirement(std::vector<std::string> approvers, std::uint32_t required = 1) {
  policy::Consent requirement;
  requirement.rule = "consent[0]";
  requirement.requirement = "any-run";
  requirement.approvers = std::move(approvers);
  requirement.required = required;
  return requirement;
}

Question Ask(std::vector<policy::Consent> requirements) {
  Question question;
  question.run_id = "run_1";
  question.digest = kDigest;
  question.policy_hash = kPolicy;
  question.requester = {"human", "alice"};
  question.requester_principal = "ci";
  question.asked = kAsked;
  question.requirements = std::move(requirements);
  return question;
}

ConsentAnswer By(const std::string& name, Millis after = Millis{0}) {
  ConsentAnswer answer;
  answer.actor = {"human", name};
  answer.voter = "principal:" + name;
  answer.digest = kDigest;
  answer.policy_hash = kPolicy;
  answer.approves = true;
  answer.at = kAsked + after;
  return answer;
}

ConsentAnswer As(ConsentAnswer answer, const std::string& voter) {
  answer.voter = voter;
  return answer;
}

TEST(Consent, MOfNTable) {
  const auto deny = [](ConsentAnswer answer) {
    answer.approves = false;
    return answer;
  };
  const auto other_digest = [](ConsentAnswer answer) {
    answer.digest = std::string(64, '0');
    return answer;
  };
  const auto other_policy = [](ConsentAnswer answer) {
    answer.policy_hash = std::string(64, '0');
    return answer;
  };
  policy::Consent not_alice = Requirement({"alice", "ci", "bob"});
  not_alice.not_requester = true;
  policy::Consent hour = Requirement({"bob", "carol"}, 2);
  hour.expires = hours{1};
  struct Case {
    const char* why;
    std::vector<policy::Consent> requirements;
    std::vector<ConsentAnswer> answers;
    Millis now;
    ConsentState state;
  };
  const Case cases[] = {
      {"nothing is asked: never granted", {}, {By("bob")}, minutes{1}, ConsentState::kOpen},
      {"no answer", {Requirement({"bob"})}, {}, minutes{1}, ConsentState::kOpen},
      {"1 of 1", {Requirement({"bob"})}, {By("bob")}, minutes{1}, ConsentState::kGranted},
      {"somebody else", {Requirement({"bob"})}, {By("eve")}, minutes{1}, ConsentState::kOpen},
      {"near miss of a name", {Requirement({"bob"})}, {By("Bob"), By("bob ")}, minutes{1}, ConsentState::kOpen},
      {"nobody is listed", {Requirement({})}, {By("bob"), By("")}, minutes{1}, ConsentState::kOpen},
      {"1 of 2", {Requirement({"bob", "carol"}, 2)}, {By("bob")}, minutes{1}, ConsentState::kOpen},
      {"2 of 2", {Requirement({"bob", "carol"}, 2)}, {By("bob"), By("carol")}, minutes{1}, ConsentState::kGranted},
      {"2 of 3", {Requirement({"bob", "carol", "dan"}, 2)}, {By("dan"), By("bob")}, minutes{1}, ConsentState::kGranted},
      {"the same twice is one", {Requirement({"bob", "carol"}, 2)}, {By("bob"), By("bob")}, minutes{1}, ConsentState::kOpen},
      {"one voter under two names is one", {Requirement({"bob", "carol"}, 2)},
       {As(By("bob"), "principal:admin"), As(By("carol"), "principal:admin")}, minutes{1}, ConsentState::kOpen},
      {"one name by two doors is one", {Requirement({"bob", "carol"}, 2)},
       {As(By("bob"), "principal:bob"), As(By("bob"), "idp:bob")}, minutes{1}, ConsentState::kOpen},
      {"more are required than listed", {Requirement({"bob"}, 2)}, {By("bob")}, minutes{1}, ConsentState::kOpen},
      {"two requirements, one answer each", {Requirement({"bob"}), Requirement({"carol"})}, {By("bob"), By("carol")}, minutes{1}, ConsentState::kGranted},
      {"two requirements, one met", {Requirement({"bob"}), Requirement({"carol"})}, {By("bob")}, minutes{1}, ConsentState::kOpen},
      {"one answer for two requirements", {Requirement({"bob"}), Requirement({"bob"})}, {By("bob")}, minutes{1}, ConsentState::kGranted},
      {"a denial is no approval", {Requirement({"bob"})}, {deny(By("bob"))}, minutes{1}, ConsentState::kOpen},
      {"another digest", {Requirement({"bob"})}, {other_digest(By("bob"))}, minutes{1}, ConsentState::kOpen},
      {"another policy", {Requirement({"bob"})}, {other_policy(By("bob"))}, minutes{1}, ConsentState::kOpen},
      {"the requester by the name of the request", {not_alice}, {By("alice")}, minutes{1}, ConsentState::kOpen},
      {"the requester by the name of the principal", {not_alice}, {By("ci")}, minutes{1}, ConsentState::kOpen},
      {"the requester's principal under another name", {not_alice}, {As(By("bob"), "principal:ci")}, minutes{1}, ConsentState::kOpen},
      {"not the requester", {not_alice}, {By("bob")}, minutes{1}, ConsentState::kGranted},
      {"the requester where nothing forbids it", {Requirement({"alice"})}, {By("alice")}, minutes{1}, ConsentState::kGranted},
      {"both in time", {hour}, {By("bob", minutes{1}), By("carol", minutes{59})}, minutes{59}, ConsentState::kGranted},
      {"the question is over", {hour}, {By("bob", minutes{1}), By("carol", minutes{59})}, minutes{60}, ConsentState::kExpired},
      {"from the future", {Requirement({"bob"})}, {By("bob", hours{2})}, minutes{1}, ConsentState::kOpen},
      {"last moment of a question without an end", {Requirement({"bob"})}, {By("bob")}, kQuestionLife - Millis{1}, ConsentState::kGranted},
      {"and one later", {Requirement({"bob"})}, {By("bob")}, kQuestionLife, ConsentState::kExpired},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(Judge(Ask(c.requirements), c.answers, kAsked + c.now).state, c.state);
  }
}

TEST(Consent, AnswersOfARequirementGetOld) {
  // The shorter rule ends the question; the longer one still bounds how long its answer is good.
  policy::Consent longer = Requirement({"bob"});
  longer.expires = minutes{90};
  policy::Consent shorter = Requirement({"carol"});
  shorter.expires = hours{1};
  const Question question = Ask({longer, shorter});
  EXPECT_EQ(EndOf(question), kAsked + hours{1});
  const auto judgement = Judge(question, {By("bob", minutes{5}), By("carol", minutes{10})}, kAsked + minutes{20});
  ASSERT_EQ(judgement.state, ConsentState::kGranted);
  EXPECT_EQ(judgement.good_until, kAsked + minutes{70});
  // An answer from before the question (a clock that was set back between) is too old by its own time.
  EXPECT_EQ(Judge(question, {By("bob", -minutes{80}), By("carol", minutes{10})}, kAsked + minutes{20}).state, ConsentState::kOpen);
}

TEST(Consent, WhyAnAnswerIsNotTaken) {
  policy::Consent strict = Requirement({"alice", "bob", "carol"}, 2);
  strict.not_requester = true;
  const Question question = Ask({strict});
  const std::vector<ConsentAnswer> given = {By("bob")};
  const WallTime now = kAsked + minutes{1};
  const auto problem = [&](const ConsentAnswer& answer, WallTime when) { return CheckApproval(question, given, answer, when); };
  EXPECT_FALSE(problem(By("carol", minutes{1}), now));
  EXPECT_EQ(problem(By("eve", minutes{1}), now)->problem, AnswerProblem::kNotApprover);
  EXPECT_EQ(problem(By("alice", minutes{1}), now)->problem, AnswerProblem::kRequester);
  EXPECT_EQ(problem(By("bob", minutes{1}), now)->problem, AnswerProblem::kAgain);
  EXPECT_EQ(problem(By("carol", minutes{1}), now + kQuestionLife)->problem, AnswerProblem::kExpired);
  ConsentAnswer changed = By("carol", minutes{1});
  changed.digest = std::string(64, '1');
  EXPECT_EQ(problem(changed, now)->problem, AnswerProblem::kChanged);
  EXPECT_EQ(problem(changed, now)->text, "what would run has changed since it was shown");
  EXPECT_FALSE(CheckDenial(question, By("alice"), now));
  EXPECT_EQ(CheckDenial(question, By("eve"), now)->problem, AnswerProblem::kNotApprover);
  EXPECT_EQ(CheckDenial(question, By("bob"), now + kQuestionLife)->problem, AnswerProblem::kExpired);
}

TEST(Consent, QuestionsSurviveTheStore) {
  policy::Consent strict = Requirement({"bob"}, 2);
  strict.not_requester = true;
  strict.expires = hours{1};
  const Question question = Ask({strict, Requirement({})});
  const auto again = DecodeQuestion(*canon::Parse(canon::Compact(ToJson(question)), canon::Mode::kStrict));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->requirements, question.requirements);
  EXPECT_EQ(again->asked, question.asked);
  EXPECT_EQ(again->requester_principal, "ci");
  canon::Json broken = ToJson(question);
  broken.Set("digest", "x");
  EXPECT_FALSE(DecodeQuestion(broken));
  broken = ToJson(question);
  broken.Remove("requirements");
  EXPECT_FALSE(DecodeQuestion(broken));
}

}  // namespace
}  // namespace writ::plane

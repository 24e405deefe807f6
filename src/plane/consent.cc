#include "plane/consent.h"

#include <algorithm>

#include "contract/object_reader.h"

namespace writ::plane {

using canon::Json;

namespace {

constexpr std::size_t kRequirementsMax = 1000, kApproversMax = 10000;
constexpr std::uint64_t kExpiresMsMax = std::uint64_t{1} << 50;

bool Lists(const policy::Consent& requirement, std::string_view id) {
  return std::ranges::find(requirement.approvers, id) != requirement.approvers.end();
}

/// The name behind "principal:NAME".
std::string_view NameOf(std::string_view voter) {
  const auto colon = voter.find(':');
  return colon == std::string_view::npos ? voter : voter.substr(colon + 1);
}

bool IsRequester(const Question& question, const ConsentAnswer& answer) {
  const std::string_view voter = NameOf(answer.voter);
  for (const std::string_view name : {std::string_view(question.requester.id), std::string_view(question.requester_principal)}) {
    if (!name.empty() && (answer.actor.id == name || voter == name)) return true;
  }
  return false;
}

bool IsAbout(const Question& question, const ConsentAnswer& answer) {
  return answer.digest == question.digest && answer.policy_hash == question.policy_hash;
}

/// The same person under one of his names.
bool Same(const ConsentAnswer& a, const ConsentAnswer& b) { return a.voter == b.voter || a.actor.id == b.actor.id; }

bool Counts(const Question& question, const policy::Consent& requirement, const ConsentAnswer& answer, WallTime now) {
  if (!answer.approves || !IsAbout(question, answer) || !Lists(requirement, answer.actor.id)) return false;
  if (requirement.not_requester && IsRequester(question, answer)) return false;
  if (answer.at > now + kClockLeeway) return false;
  return !requirement.expires || now - answer.at < *requirement.expires;
}

Json ToJson(const policy::Consent& requirement) {
  Json::Array approvers(requirement.approvers.begin(), requirement.approvers.end());
  Json json = Json::Of({{"rule", requirement.rule},
                        {"requirement", requirement.requirement},
                        {"approvers", std::move(approvers)},
                        {"required", requirement.required},
                        {"notRequester", requirement.not_requester}});
  if (requirement.expires) json.Set("expiresMs", requirement.expires->count());
  return json;
}

Result<policy::Consent> DecodeRequirement(const Json& json, std::string_view path) {
  policy::Consent requirement;
  contract::ObjectReader reader(json, path);
  reader.Text("rule", requirement.rule, 1, 256);
  reader.Text("requirement", requirement.requirement, 1, 1000000);
  reader.Texts("approvers", requirement.approvers, kApproversMax, 1024);
  std::uint64_t required = 0;
  reader.Integer("required", required, 1, UINT32_MAX);
  requirement.required = static_cast<std::uint32_t>(required);
  reader.Bool("notRequester", requirement.not_requester);
  std::optional<std::uint64_t> expires;
  reader.Integer("expiresMs", expires, 1, kExpiresMsMax);
  if (expires) requirement.expires = Millis{static_cast<std::int64_t>(*expires)};
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return requirement;
}

}  // namespace

WallTime EndOf(const Question& question) {
  std::optional<Millis> shortest;
  for (const auto& requirement : question.requirements) {
    if (requirement.expires && (!shortest || *requirement.expires < *shortest)) shortest = requirement.expires;
  }
  return question.asked + shortest.value_or(kQuestionLife);
}

Judgement Judge(const Question& question, const std::vector<ConsentAnswer>& answers, WallTime now) {
  Judgement judgement;
  bool all = !question.requirements.empty();
  for (const auto& requirement : question.requirements) {
    RequirementState state{&requirement, {}, false};
    for (const auto& answer : answers) {
      if (!Counts(question, requirement, answer, now)) continue;
      if (std::ranges::any_of(state.given, [&](const auto* other) { return Same(*other, answer); })) continue;
      state.given.push_back(&answer);
    }
    state.met = requirement.required > 0 && state.given.size() >= requirement.required;
    all = all && state.met;
    if (state.met && requirement.expires) {
      // As many of the youngest as are needed; the oldest of those ends first.
      std::vector<WallTime> times;
      for (const auto* answer : state.given) times.push_back(answer->at);
      std::ranges::sort(times, std::greater<>());
      const WallTime ends = times[requirement.required - 1] + *requirement.expires;
      if (!judgement.good_until || ends < *judgement.good_until) judgement.good_until = ends;
    }
    judgement.requirements.push_back(std::move(state));
  }
  if (now >= EndOf(question)) {
    judgement.state = ConsentState::kExpired;
  } else if (all) {
    judgement.state = ConsentState::kGranted;
  }
  if (judgement.state != ConsentState::kGranted) judgement.good_until.reset();
  return judgement;
}

std::optional<AnswerRefused> CheckApproval(const Question& question, const std::vector<ConsentAnswer>& answers,
                                           const ConsentAnswer& answer, WallTime now) {
  if (!IsAbout(question, answer)) return AnswerRefused{AnswerProblem::kChanged, "what would run has changed since it was shown"};
  const Judgement judgement = Judge(question, answers, now);
  if (judgement.state == ConsentState::kExpired)
    return AnswerRefused{AnswerProblem::kExpired, fmt::format("the question about run {} has expired", question.run_id)};
  bool listed = false, countable = false;
  for (const auto& state : judgement.requirements) {
    if (!Lists(*state.requirement, answer.actor.id)) continue;
    listed = true;
    if (!Counts(question, *state.requirement, answer, now)) continue;
    countable = true;
    if (!std::ranges::any_of(state.given, [&](const auto* other) { return Same(*other, answer); })) return std::nullopt;
  }
  if (countable)
    return AnswerRefused{AnswerProblem::kAgain, fmt::format("\"{}\" has already approved run {}", answer.actor.id, question.run_id)};
  if (listed)
    return AnswerRefused{AnswerProblem::kRequester,
                         fmt::format("\"{}\" asked for run {} and cannot approve it", answer.actor.id, question.run_id)};
  return AnswerRefused{AnswerProblem::kNotApprover,
                       fmt::format("\"{}\" is not among the approvers of run {}", answer.actor.id, question.run_id)};
}

std::optional<AnswerRefused> CheckDenial(const Question& question, const ConsentAnswer& answer, WallTime now) {
  if (!IsAbout(question, answer)) return AnswerRefused{AnswerProblem::kChanged, "what would run has changed since it was shown"};
  if (now >= EndOf(question))
    return AnswerRefused{AnswerProblem::kExpired, fmt::format("the question about run {} has expired", question.run_id)};
  for (const auto& requirement : question.requirements) {
    if (Lists(requirement, answer.actor.id)) return std::nullopt;
  }
  return AnswerRefused{AnswerProblem::kNotApprover,
                       fmt::format("\"{}\" is not among the approvers of run {}", answer.actor.id, question.run_id)};
}

Json RequirementsJson(const Question& question, const Judgement& judgement) {
  Json list = Json::MakeArray();
  for (const auto& state : judgement.requirements) {
    Json given = Json::MakeArray();
    for (const auto* answer : state.given) given.Append(contract::ToJson(answer->actor));
    Json::Array approvers(state.requirement->approvers.begin(), state.requirement->approvers.end());
    list.Append(Json::Of({{"requirement", state.requirement->requirement},
                          {"approvers", std::move(approvers)},
                          {"required", state.requirement->required},
                          {"notRequester", state.requirement->not_requester},
                          {"given", std::move(given)},
                          {"expiresAt", FormatTimestamp(EndOf(question))}}));
  }
  return list;
}

Json ToJson(const Question& question) {
  Json requirements = Json::MakeArray();
  for (const auto& requirement : question.requirements) requirements.Append(ToJson(requirement));
  return Json::Of({{"v", 1},
                   {"runId", question.run_id},
                   {"digest", question.digest},
                   {"policyHash", question.policy_hash},
                   {"requester", contract::ToJson(question.requester)},
                   {"principal", question.requester_principal},
                   {"askedAt", FormatTimestamp(question.asked)},
                   {"requirements", std::move(requirements)}});
}

Result<Question> DecodeQuestion(const Json& json) {
  Question question;
  contract::ObjectReader reader(json, "question");
  std::uint64_t version = 0;
  reader.Integer("v", version, 1, 1);
  reader.Text("runId", question.run_id, 1, 128);
  reader.Hash("digest", question.digest);
  reader.Hash("policyHash", question.policy_hash);
  if (const Json* requester = reader.Member("requester"))
    reader.Take(question.requester, contract::DecodeActor(*requester, reader.Path("requester")));
  reader.Text("principal", question.requester_principal, 0, 256);
  reader.Time("askedAt", question.asked);
  reader.Each("requirements", kRequirementsMax, true, [&](const Json& item, std::string_view path) -> Result<> {
    auto requirement = DecodeRequirement(item, path);
    if (!requirement) return std::unexpected(std::move(requirement).error());
    question.requirements.push_back(*std::move(requirement));
    return {};
  });
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return question;
}

}  // namespace writ::plane

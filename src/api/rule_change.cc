#include "api/rule_change.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "api/json_texts.h"
#include "api/run_network.h"
#include "contract/extension.h"
#include "policy/egress_rule.h"
#include "sys/file.h"

namespace writ::api {
namespace {

using canon::Json;

constexpr Millis kAnswerPoll{10};
constexpr std::size_t kIdLength = 32;
constexpr std::size_t kByMax = 256;
constexpr std::size_t kAnswerMax = 4 << 20;
constexpr std::string_view kOpen = "open";

bool IsId(std::string_view id) {
  return id.size() == kIdLength && std::ranges::all_of(id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

policy::Decision Deny(std::string rule, std::string reason, std::string grant) {
  policy::Decision decision;
  decision.rule = rule;
  decision.reason = reason;
  decision.denials.push_back({std::move(rule), std::move(reason), std::move(grant)});
  return decision;
}

policy::Decision Allow(std::string reason) {
  policy::Decision decision;
  decision.verdict = policy::Verdict::kAllow;
  decision.rule = "egress.change";
  decision.reason = std::move(reason);
  return decision;
}

/// Writes a new file of this user alone. Errors: kInvalid when the name is taken.
Result<> WriteNew(int directory, const std::string& name, std::string_view content) {
  const sys::UniqueFd file(::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return FailErrno("make " + name);
  auto written = sys::WriteAll(file.get(), content);
  if (!written) ::unlinkat(directory, name.c_str(), 0);
  return written;
}

/// Reads a file that belongs to this user alone. nullopt when there is none. Errors: kDenied for what is something else.
Result<std::optional<std::string>> ReadOwn(int directory, const std::string& name, std::size_t bytes_max) {
  const sys::UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) {
    if (errno == ENOENT) return std::optional<std::string>();
    return FailErrno("open " + name);
  }
  struct stat meta{};
  if (::fstat(file.get(), &meta) != 0) return FailErrno("look at " + name);
  if (!S_ISREG(meta.st_mode) || meta.st_uid != ::geteuid() || (meta.st_mode & 077) != 0)
    return Fail(Code::kDenied, "{} is not a file of this user alone", name);
  return WRIT_TRY("read " + name, sys::ReadAll(file.get(), bytes_max));
}

}  // namespace

std::string EncodeRuleRequest(const RuleRequest& request) {
  return canon::Compact(Json::Of({{"v", 1},
                                  {"id", request.id},
                                  {"change", request.change.add ? "add" : "remove"},
                                  {"rule", request.change.rule},
                                  {"by", request.change.by}}));
}

Result<RuleRequest> DecodeRuleRequest(std::string_view text) {
  const auto json = WRIT_TRY("rule change", canon::Parse(text, canon::Mode::kStrict, {.bytes_max = kRuleFileMax, .depth_max = 2}));
  const Json* version = json.Find("v");
  if (!json.is_object() || version == nullptr || *version != Json(1) || json.object().size() != 5)
    return Fail(Code::kInvalid, "rule change: it must have v 1, id, change, rule and by");
  const std::string change = TextOf(json, "change");
  RuleRequest request{TextOf(json, "id"), {change == "add", TextOf(json, "rule"), TextOf(json, "by")}};
  if (!IsId(request.id)) return Fail(Code::kInvalid, "rule change: id must be {} hex characters", kIdLength);
  if (change != "add" && change != "remove") return Fail(Code::kInvalid, "rule change: change must be add or remove");
  if (request.change.by.empty() || request.change.by.size() > kByMax) return Fail(Code::kInvalid, "rule change: by must have 1 to {} bytes", kByMax);
  if (request.change.rule != kOpen) {
    [[maybe_unused]] const auto read = WRIT_TRY("rule change", policy::ParseEgressRule(request.change.rule));
  }
  return request;
}

std::string EncodeRuleAnswer(const RuleAnswer& answer) {
  Json rules = Json::MakeArray();
  for (const auto& rule : answer.rules) rules.Append(rule);
  return canon::Compact(Json::Of({{"v", 1},
                                  {"applied", answer.applied},
                                  {"rule", answer.rule},
                                  {"reason", answer.reason},
                                  {"grant", answer.grant},
                                  {"open", answer.open},
                                  {"rules", std::move(rules)}}));
}

Result<RuleAnswer> DecodeRuleAnswer(std::string_view text) {
  const auto json = WRIT_TRY("answer", canon::Parse(text, canon::Mode::kStrict, {.bytes_max = kAnswerMax, .depth_max = 3}));
  const Json *applied = json.Find("applied"), *open = json.Find("open"), *rules = json.Find("rules");
  if (applied == nullptr || !applied->is_bool() || open == nullptr || !open->is_bool() || rules == nullptr || !rules->is_array())
    return Fail(Code::kCorrupt, "the answer lacks applied, open or rules");
  RuleAnswer answer{applied->boolean(), TextOf(json, "rule"), TextOf(json, "reason"), TextOf(json, "grant"), open->boolean(), {}};
  for (const Json& rule : rules->array())
    if (rule.is_string()) answer.rules.push_back(rule.string());
  return answer;
}

RuleVerdict JudgeChange(const NetworkRequest& now, bool approved, const policy::EgressCeiling& ceiling, const RuleChange& change) {
  if (!now.asked)
    return {Deny("egress.change", "the run was started without a network, so it has no door that could be opened",
                 "start it with --net HOST"),
            now};
  NetworkRequest next = now;
  const auto known = std::ranges::find(next.rules, change.rule);
  const bool is_open = change.rule == kOpen;
  const bool there = is_open ? now.open : known != next.rules.end();
  if (!change.add) {
    if (!there) return {Deny("egress.change", fmt::format("the run has no rule \"{}\"", change.rule), "name a rule of `writ net RUN list`"), now};
    if (is_open) {
      next.open = false;
    } else {
      next.rules.erase(known);
    }
    return {Allow(fmt::format("rule \"{}\" is taken away", change.rule)), std::move(next)};
  }
  if (approved)
    return {Deny("egress.change", "people approved this run with the network that its contract names",
                 fmt::format("ask for a new run with --net-rule \"{}\"", change.rule)),
            now};
  if (there) return {Deny("egress.change", fmt::format("the run has the rule \"{}\" already", change.rule), "leave it as it is"), now};
  if (is_open) {
    next.open = true;
  } else {
    next.rules.push_back(change.rule);
  }
  if (next.rules.size() > contract::kEgressRulesMax)
    return {Deny("egress.change", fmt::format("a run has at most {} rules", contract::kEgressRulesMax), "remove one first"), now};
  auto denials = policy::JudgeEgress(ceiling, *EgressAskOf(next));
  if (denials.empty()) return {Allow(fmt::format("rule \"{}\" is below the policy's ceiling", change.rule)), std::move(next)};
  policy::Decision decision = Deny(denials.front().rule, denials.front().reason, denials.front().grant);
  decision.denials = std::move(denials);
  return {std::move(decision), now};
}

policy::EgressRules RulesOf(const NetworkRequest& network) {
  policy::EgressRules rules;
  rules.open = network.open;
  for (const auto& text : network.rules)
    if (auto rule = policy::ParseEgressRule(text)) rules.rules.push_back(*std::move(rule));
  return rules;
}

std::optional<RuleRequest> RuleInbox::Take() {
  const std::string name = RuleRequestName(run_id_);
  auto text = ReadOwn(runs_fd_, name, kRuleFileMax);
  if (text && !*text) return std::nullopt;
  ::unlinkat(runs_fd_, name.c_str(), 0);  // a request counts once, whatever it says
  if (!text) return std::nullopt;
  auto request = DecodeRuleRequest(**text);
  if (!request) return std::nullopt;
  return *std::move(request);
}

Result<> RuleInbox::Answer(const RuleRequest& request, const RuleAnswer& answer) {
  const std::string name = RuleAnswerName(run_id_, request.id), part = name + "x";
  WRIT_TRY("answer", WriteNew(runs_fd_, part, EncodeRuleAnswer(answer)));
  if (::renameat(runs_fd_, part.c_str(), runs_fd_, name.c_str()) != 0) return FailErrno("answer");
  return {};
}

Result<RuleAnswer> DropRuleRequest(int runs_fd, std::string_view run_id, const RuleChange& change, Deadline deadline,
                                   const std::function<Result<bool>()>& held) {
  const RuleRequest request{contract::MakeNonce(), change};
  const std::string text = EncodeRuleRequest(request);
  [[maybe_unused]] const auto read = WRIT_TRY("ask", DecodeRuleRequest(text));
  const std::string name = RuleRequestName(run_id), part = fmt::format("{}.netask-{}", run_id, request.id);
  const std::string answer_name = RuleAnswerName(run_id, request.id);
  WRIT_TRY("ask", WriteNew(runs_fd, part, text));
  bool asked = false;
  Result<RuleAnswer> answer = Fail(Code::kDeadline, "run {} has not answered in time; `writ net {} list` says what it may reach", run_id, run_id);
  for (;;) {
    // Complete or absent: a link never replaces a request that is still waiting.
    if (!asked) asked = ::linkat(runs_fd, part.c_str(), runs_fd, name.c_str(), 0) == 0;
    if (!asked && errno != EEXIST) {
      answer = FailErrno("ask");
      break;
    }
    const auto live = held();  // looked at first: a run that has ended may have answered before
    const auto got = ReadOwn(runs_fd, answer_name, kAnswerMax);
    if (!got) {
      answer = std::unexpected(got.error());
      break;
    }
    if (*got) {
      answer = DecodeRuleAnswer(**got);
      break;
    }
    if (!live || !*live) {
      answer = live ? Result<RuleAnswer>(Fail(Code::kInvalid, "run {} ended before it answered", run_id)) : std::unexpected(live.error());
      break;
    }
    if (deadline.Passed()) break;
    std::this_thread::sleep_for(kAnswerPoll);
  }
  // What was not taken must not be taken later, when nobody waits for it any more.
  if (asked && !answer) {
    struct stat ours{}, there{};
    if (::fstatat(runs_fd, part.c_str(), &ours, AT_SYMLINK_NOFOLLOW) == 0 && ::fstatat(runs_fd, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
      ::unlinkat(runs_fd, name.c_str(), 0);
  }
  ::unlinkat(runs_fd, part.c_str(), 0);
  ::unlinkat(runs_fd, answer_name.c_str(), 0);
  return answer;
}

}  // namespace writ::api

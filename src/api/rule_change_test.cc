#include "api/rule_change.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "sys/file.h"

namespace writ::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kRun = "run_0";
const std::string kId(32, 'a');

policy::EgressCeiling Ceiling(const char* rule) {
  policy::EgressCeiling ceiling;
  ceiling.rules = {*policy::ParseEgressRule(rule)};
  return ceiling;
}

class RuleFiles : public testing::Test {
 protected:
  RuleFiles() : place_(*sys::TemporaryDirectory::Create(testing::TempDir(), "rules")), fd_(::open(place_.path().c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC)) {}
  std::string path(const std::string& name) const { return place_.path() + "/" + name; }
  void Put(std::string_view content, std::uint32_t mode = 0600) {
    ASSERT_TRUE(sys::WriteFileAtomic(path(RuleRequestName(kRun)), content, mode, sys::Durability::kQuick));
  }
  std::size_t Count() const {
    std::size_t count = 0;
    const auto names = sys::ListNames(fd_, 100);
    EXPECT_TRUE(names) << names.error().what;
    for (const auto& name : *names) count += !name.empty();
    return count;
  }

  sys::TemporaryDirectory place_;
  sys::UniqueFd fd_;
};

TEST(RuleRequests, RoundTripAndStrict) {
  const RuleRequest request{kId, {true, "api.test:443 GET /v1/**", "ada"}};
  const auto read = DecodeRuleRequest(EncodeRuleRequest(request));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->change.rule, request.change.rule);
  EXPECT_TRUE(read->change.add);
  const auto refused = [](std::string text) { return !DecodeRuleRequest(text); };
  for (const char* text : {"", "{}", "[]", "null", "{\"v\":1}", "\xff"}) EXPECT_TRUE(refused(text)) << text;
  const std::string good = EncodeRuleRequest(request);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_TRUE(refused(with("\"v\":1", "\"v\":2")));
  EXPECT_TRUE(refused(with("\"add\"", "\"set\"")));
  EXPECT_TRUE(refused(with("api.test", "http://api.test")));
  EXPECT_TRUE(refused(with("aaaa", "../a")));
  EXPECT_TRUE(refused(with("\"ada\"", "\"\"")));
  EXPECT_TRUE(refused(with("\"by\"", "\"more\":1,\"by\"")));
  EXPECT_TRUE(refused(good + std::string(kRuleFileMax, ' ')));
}

TEST(RuleChanges, DecidedByTheCeiling) {
  const NetworkRequest now{true, false, {"a.test:443"}, {}};
  const auto judge = [&](bool add, const char* rule) { return JudgeChange(now, false, Ceiling("*.test:443"), {add, rule, "ada"}); };
  const auto added = judge(true, "b.test:443");
  EXPECT_EQ(added.decision.verdict, policy::Verdict::kAllow);
  EXPECT_THAT(added.next.rules, ElementsAre("a.test:443", "b.test:443"));
  const auto denied = judge(true, "b.test:80");
  EXPECT_EQ(denied.decision.verdict, policy::Verdict::kDeny);
  EXPECT_THAT(denied.decision.SmallestGrant().front(), HasSubstr("egress.rules"));
  EXPECT_THAT(denied.next.rules, ElementsAre("a.test:443"));
  EXPECT_EQ(judge(true, "open").decision.verdict, policy::Verdict::kDeny);
  EXPECT_EQ(judge(true, "a.test:443").decision.verdict, policy::Verdict::kDeny) << "there already";
  EXPECT_EQ(judge(false, "b.test:443").decision.verdict, policy::Verdict::kDeny) << "not there";
  const auto removed = judge(false, "a.test:443");
  EXPECT_EQ(removed.decision.verdict, policy::Verdict::kAllow);
  EXPECT_TRUE(removed.next.rules.empty());
  EXPECT_TRUE(removed.next.asked) << "the doors stay; nothing is granted";
  const auto closed = JudgeChange({}, false, Ceiling("*.test:443"), {true, "b.test:443", "ada"});
  EXPECT_EQ(closed.decision.verdict, policy::Verdict::kDeny);
  EXPECT_THAT(closed.decision.reason, HasSubstr("without a network"));
}

TEST(RuleChanges, Attack16_WhatPeopleApprovedIsNotWidened) {
  const NetworkRequest now{true, false, {"a.test:443"}, {}};
  for (const char* rule : {"b.test:443", "open"}) {
    const auto added = JudgeChange(now, true, Ceiling("*.test:443"), {true, rule, "ada"});
    EXPECT_EQ(added.decision.verdict, policy::Verdict::kDeny) << rule;
    EXPECT_THAT(added.decision.reason, HasSubstr("people approved"));
    EXPECT_EQ(added.next.rules, now.rules);
  }
  EXPECT_EQ(JudgeChange(now, true, Ceiling("*.test:443"), {false, "a.test:443", "ada"}).decision.verdict, policy::Verdict::kAllow);
}

TEST_F(RuleFiles, OnlyOwnPrivateRegularFilesAreRequests) {
  const std::string good = EncodeRuleRequest({kId, {true, "a.test", "ada"}});
  RuleInbox inbox(fd_.get(), kRun);
  EXPECT_FALSE(inbox.Take());
  Put(good);
  const auto taken = inbox.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->change.rule, "a.test");
  EXPECT_FALSE(inbox.Take()) << "a request counts once";
  Put(good, 0644);
  EXPECT_FALSE(inbox.Take());
  Put("nonsense");
  EXPECT_FALSE(inbox.Take());
  Put(good + std::string(kRuleFileMax, ' '));
  EXPECT_FALSE(inbox.Take());
  ASSERT_TRUE(sys::WriteFileAtomic(path("elsewhere"), good, 0600, sys::Durability::kQuick));
  ASSERT_EQ(::symlink("elsewhere", path(RuleRequestName(kRun)).c_str()), 0);
  EXPECT_FALSE(inbox.Take());
  ASSERT_EQ(::mkfifo(path(RuleRequestName(kRun)).c_str(), 0600), 0);
  EXPECT_FALSE(inbox.Take()) << "and it does not wait for a writer";
  EXPECT_EQ(Count(), 1u) << "every one was removed";
}

TEST_F(RuleFiles, AskedAndAnswered) {
  std::thread running([&] {
    RuleInbox inbox(fd_.get(), kRun);
    for (int turn = 0; turn < 2;) {
      const auto request = inbox.Take();
      if (!request) {
        std::this_thread::sleep_for(Millis{1});
        continue;
      }
      EXPECT_TRUE(inbox.Answer(*request, {turn == 0, "rule", "reason", "grant", false, {request->change.rule}}));
      ++turn;
    }
  });
  const auto held = [] { return Result<bool>(true); };
  const auto first = DropRuleRequest(fd_.get(), kRun, {true, "a.test", "ada"}, Deadline::After(Millis{30'000}), held);
  const auto second = DropRuleRequest(fd_.get(), kRun, {false, "b.test", "ada"}, Deadline::After(Millis{30'000}), held);
  running.join();
  ASSERT_TRUE(first) << first.error().what;
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_TRUE(first->applied);
  EXPECT_FALSE(second->applied);
  EXPECT_THAT(second->rules, ElementsAre("b.test"));
  EXPECT_EQ(Count(), 0u);
}

TEST_F(RuleFiles, NobodyAnswers) {
  const auto late = DropRuleRequest(fd_.get(), kRun, {true, "a.test", "ada"}, Deadline::After(Millis{30}), [] { return Result<bool>(true); });
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kDeadline);
  EXPECT_EQ(Count(), 0u) << "a request that nobody waits for is taken back";
  const auto gone = DropRuleRequest(fd_.get(), kRun, {true, "a.test", "ada"}, Deadline::Never(), [] { return Result<bool>(false); });
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().what, HasSubstr("ended before"));
  EXPECT_EQ(Count(), 0u);
  const auto bad = DropRuleRequest(fd_.get(), kRun, {true, "https://a.test/", "ada"}, Deadline::Never(), [] { return Result<bool>(true); });
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().what, HasSubstr("is a URL"));
  EXPECT_EQ(Count(), 0u);
}

}  // namespace
}  // namespace writ::api

#include "policy/egress_ceiling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/egress.h"

namespace writ::policy {
namespace {

using testing::ElementsAre;

EgressRule Rule(std::string_view text) {
  auto rule = ParseEgressRule(text);
  EXPECT_TRUE(rule) << rule.error().what;
  return rule.value_or(EgressRule{});
}
std::vector<EgressRule> RuleList(const std::vector<std::string_view>& texts) {
  std::vector<EgressRule> rules;
  for (const auto text : texts) rules.push_back(Rule(text));
  return rules;
}

TEST(EgressCeiling, CoversTable) {
  struct Case {
    const char *why, *ceiling, *asked;
    bool covers;
  };
  const Case cases[] = {
      {"itself", "a.test:443", "a.test:443", true},
      {"another spelling of itself", "A.test.:443", "a.TEST:443", true},
      {"every port covers one", "a.test", "a.test:443", true},
      {"one port does not cover every", "a.test:443", "a.test", false},
      {"another port", "a.test:443", "a.test:444", false},
      {"another name", "a.test", "b.test", false},
      {"a name that ends alike", "a.test", "ba.test", false},
      {"a name below", "a.test", "x.a.test", false},
      {"suffix covers a name below", "*.a.test", "x.a.test:1", true},
      {"suffix covers two labels below", "*.a.test", "x.y.a.test", true},
      {"suffix does not cover itself as a name", "*.a.test", "a.test", false},
      {"suffix is not a string suffix", "*.a.test", "ba.test", false},
      {"suffix covers itself", "*.a.test", "*.a.test", true},
      {"suffix covers a narrower suffix", "*.a.test", "*.b.a.test", true},
      {"suffix does not cover a wider one", "*.b.a.test", "*.a.test", false},
      {"suffix does not cover a like suffix", "*.a.test", "*.ba.test", false},
      {"a name does not cover a suffix", "a.test", "*.a.test", false},
      {"a name does not cover an address", "a.test", "10.0.0.1", false},
      {"range covers itself", "10.0.0.0/8", "10.0.0.0/8", true},
      {"range covers a narrower one", "10.0.0.0/8", "10.1.0.0/16", true},
      {"range covers an address", "10.0.0.0/8:5432", "10.1.2.3:5432", true},
      {"range does not cover a wider one", "10.1.0.0/16", "10.0.0.0/8", false},
      {"range does not cover a neighbour", "10.0.0.0/9", "10.128.0.0/9", false},
      {"another spelling of an address", "10.0.0.6", "0x0a000006", true},
      {"too wide a range opens nothing private", "0.0.0.0/0", "10.0.0.0/8", false},
      {"too wide a range opens no private address", "0.0.0.0/0", "10.0.0.1", false},
      {"too wide a range covers public addresses", "0.0.0.0/0", "8.8.8.8", true},
      {"too wide a range covers another", "0.0.0.0/0", "128.0.0.0/1", true},
      {"a range does not open a metadata address", "169.254.0.0/16", "169.254.169.254", false},
      {"a metadata address opens itself", "169.254.169.254", "169.254.169.254", true},
      {"v6 does not cover v4", "::/0", "10.0.0.1", false},
      {"v6 range", "fd00::/8", "[fd00::1]:443", true},
      {"mapped form is another address", "10.0.0.0/8", "[::ffff:10.0.0.1]", false},
      {"all requests cover some", "a.test:443", "a.test:443 GET /x", true},
      {"some requests do not cover all", "a.test:443 GET /x", "a.test:443", false},
      {"methods", "a.test GET,HEAD /x", "a.test GET /x", true},
      {"another method", "a.test GET /x", "a.test POST /x", false},
      {"one method more", "a.test GET /x", "a.test GET,POST /x", false},
      {"every method covers one", "a.test * /x", "a.test GET /x", true},
      {"one method does not cover every", "a.test GET /x", "a.test * /x", false},
      {"path below", "a.test GET /v1/**", "a.test GET /v1/a/b", true},
      {"glob below", "a.test GET /v1/**", "a.test GET /v1/*/items", true},
      {"path beside", "a.test GET /v1/**", "a.test GET /v10/a", false},
      {"path above", "a.test GET /v1/**", "a.test GET /**", false},
      {"one segment covers a word", "a.test GET /v1/*", "a.test GET /v1/a", true},
      {"one segment does not cover two", "a.test GET /v1/*", "a.test GET /v1/a/b", false},
      {"one segment does not cover many", "a.test GET /v1/*", "a.test GET /v1/**", false},
      {"equal globs", "a.test GET /v1/*/x", "a.test GET /v1/*/x", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(Covers(Rule(c.ceiling), Rule(c.asked)), c.covers);
  }
}

std::vector<std::string> Spoken(const EgressCeiling& ceiling, const EgressAsk& asked) {
  std::vector<std::string> rules;
  for (const auto& denial : JudgeEgress(ceiling, asked)) {
    EXPECT_FALSE(denial.reason.empty());
    EXPECT_FALSE(denial.grant.empty());
    rules.push_back(denial.rule);
  }
  return rules;
}

TEST(EgressCeiling, TheDefaultGrantsNothing) {
  EXPECT_THAT(Spoken({}, {.open = true, .rules = RuleList({"a.test", "b.test:1", "10.0.0.1"}), .budget_bytes = {}}),
              ElementsAre("network.allowHosts", "writ.egress.rules", "writ.egress.rules", "writ.egress.open"));
  EXPECT_THAT(Spoken({}, {}), ElementsAre());
}

TEST(EgressCeiling, DenialsNameTheSmallestGrant) {
  const auto denials = JudgeEgress({}, {.open = false, .rules = RuleList({"a.test", "B.test:1"}), .budget_bytes = {}});
  ASSERT_EQ(denials.size(), 2u);
  EXPECT_EQ(denials[0].reason, "network host \"a.test\" is not in the policy allowlist");
  EXPECT_EQ(denials[0].grant, "add \"a.test\" to network.allowHosts");
  EXPECT_EQ(denials[1].reason, "egress rule \"B.test:1\" is not below the policy's ceiling");
  EXPECT_EQ(denials[1].grant, "add \"B.test:1\" to egress.rules");
}

TEST(EgressCeiling, AllowHostsAreExactNamesWithAnyPort) {
  const EgressCeiling ceiling{.whatever_is_named = false, .hosts = {"a.test", "*.b.test", "Up.test", "10.0.0.6"}, .rules = {}, .open = false, .budget_bytes = {}};
  const auto covered = [&](const char* text) { return JudgeEgress(ceiling, {false, RuleList({text}), {}}).empty(); };
  EXPECT_TRUE(covered("a.test"));
  EXPECT_TRUE(covered("a.test:443"));
  EXPECT_TRUE(covered("a.test GET /x"));
  EXPECT_TRUE(covered("10.0.0.6:22"));
  EXPECT_FALSE(covered("x.a.test"));
  EXPECT_FALSE(covered("*.b.test"));
  EXPECT_FALSE(covered("x.b.test"));
  EXPECT_FALSE(covered("up.test")) << "an entry with capitals never matches";
  EXPECT_FALSE(covered("10.0.0.7"));
  EXPECT_FALSE(covered("10.0.0.0/8"));
}

TEST(EgressCeiling, OpenCoversNamesAndPublicAddressesOnly) {
  const EgressCeiling ceiling{.whatever_is_named = false, .hosts = {}, .rules = RuleList({"192.168.0.0/16:22"}), .open = true, .budget_bytes = {}};
  const auto covered = [&](const char* text) { return JudgeEgress(ceiling, {false, RuleList({text}), {}}).empty(); };
  EXPECT_TRUE(JudgeEgress(ceiling, {.open = true, .rules = {}, .budget_bytes = {}}).empty());
  EXPECT_TRUE(covered("any.test:1"));
  EXPECT_TRUE(covered("*.any.test"));
  EXPECT_TRUE(covered("8.8.8.8:53"));
  EXPECT_TRUE(covered("0.0.0.0/0"));
  EXPECT_TRUE(covered("192.168.7.0/24:22"));
  EXPECT_FALSE(covered("192.168.7.0/24"));
  EXPECT_FALSE(covered("10.0.0.1"));
  EXPECT_FALSE(covered("169.254.169.254"));
  EXPECT_FALSE(covered("[::1]:80"));
}

TEST(EgressCeiling, OpenDoesNotFreeHostsWhoseRequestsAreLimited) {
  const EgressCeiling ceiling{.whatever_is_named = false, .hosts = {}, .rules = RuleList({"api.test:443 GET /v1/**"}), .open = true, .budget_bytes = {}};
  EXPECT_THAT(Spoken(ceiling, {true, {}, {}}), ElementsAre("writ.egress.rules[0]"));
  EXPECT_THAT(Spoken(ceiling, {true, RuleList({"api.test:443 GET /v1/**"}), {}}), ElementsAre());
  EXPECT_THAT(Spoken(ceiling, {true, RuleList({"api.test:443 GET /v1/a"}), {}}), ElementsAre());
  EXPECT_THAT(Spoken(ceiling, {false, RuleList({"api.test"}), {}}), ElementsAre("network.allowHosts"));
  EXPECT_THAT(Spoken(ceiling, {false, RuleList({"*.test"}), {}}), ElementsAre("writ.egress.rules"));
  EXPECT_THAT(Spoken(ceiling, {false, RuleList({"api.test:443 POST /v1/a"}), {}}), ElementsAre("writ.egress.rules"));
  EXPECT_THAT(Spoken(ceiling, {false, RuleList({"api.test:80", "other.test"}), {}}), ElementsAre());
  const auto denials = JudgeEgress(ceiling, {true, {}, {}});
  EXPECT_EQ(denials[0].grant, "ask for it too: --net-rule 'api.test:443 GET /v1/**'");
}

TEST(EgressCeiling, WhateverIsNamed) {
  const EgressCeiling ceiling{.whatever_is_named = true, .hosts = {}, .rules = {}, .open = false, .budget_bytes = {}};
  EXPECT_TRUE(JudgeEgress(ceiling, {true, RuleList({"a.test", "10.0.0.0/8", "169.254.169.254"}), {}}).empty());
}

TEST(EgressCeiling, Budget) {
  EgressCeiling ceiling{.whatever_is_named = true, .hosts = {}, .rules = {}, .open = false, .budget_bytes = 1024};
  EXPECT_THAT(Spoken(ceiling, {true, {}, {}}), ElementsAre("writ.egress.budgetBytes"));
  EXPECT_THAT(Spoken(ceiling, {true, {}, 1025}), ElementsAre("writ.egress.budgetBytes"));
  EXPECT_THAT(Spoken(ceiling, {true, {}, 1024}), ElementsAre());
  EXPECT_EQ(JudgeEgress(ceiling, {true, {}, 4096})[0].grant, "raise egress.budget to 4096");
}

/// What a covered rule lets through, the ceiling lets through: tried with every rule against every rule.
TEST(EgressCeiling, CoveredRulesGrantNothingThatTheCeilingDenies) {
  const char* texts[] = {"a.test", "a.test:443", "*.test", "*.a.test:443", "10.0.0.0/8", "10.0.0.1:443", "0.0.0.0/0", "169.254.0.0/16",
                         "169.254.169.254", "8.8.8.8", "8.0.0.0/8", "a.test GET /x/**", "a.test:443 * /x/*", "x.a.test"};
  const char* hosts[] = {"a.test", "x.a.test", "b.test", "10.0.0.1", "10.2.0.1", "169.254.169.254", "169.254.1.1", "8.8.8.8", "8.1.1.1", "127.0.0.1"};
  for (const auto* wide : texts) {
    for (const auto* narrow : texts) {
      if (!Covers(Rule(wide), Rule(narrow))) continue;
      for (const auto* host : hosts) {
        for (const std::uint16_t port : {80, 443}) {
          const EgressTarget target{*net::NormaliseHost(host), port, ""};
          for (const auto& [method, path] : {std::pair{"GET", "/x/y"}, {"POST", "/x/y"}, {"GET", "/x/y/z"}, {"GET", "/y"}}) {
            const bool narrow_says = DecideRequest({true, false, RuleList({narrow})}, target, method, path).allowed;
            const bool wide_says = DecideRequest({true, false, RuleList({wide})}, target, method, path).allowed;
            EXPECT_TRUE(!narrow_says || wide_says) << wide << " | " << narrow << " | " << host << ":" << port << " " << method << " " << path;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace writ::policy

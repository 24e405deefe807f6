#include "policy/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "policy/schema.h"
#include "sys/file.h"

namespace writ::policy {
namespace {

using canon::Json;

std::string SourceFile(const std::string& name) {
  std::ifstream in(std::string(WRIT_SOURCE_DIR) + "/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The first ```yaml block of the page.
std::string DocumentedExample() {
  const std::string page = SourceFile("docs/formats/policy.md");
  const std::size_t begin = page.find("```yaml\n");
  const std::size_t end = page.find("```", begin + 8);
  if (begin == std::string::npos || end == std::string::npos) return {};
  return page.substr(begin + 8, end - begin - 8);
}

void ExpectEveryKey(std::span<const Field> fields, Part part, const Json* object, const std::string& path) {
  for (const Field& field : fields) {
    if (!Belongs(field, part)) continue;
    const std::string member_path = MemberPath(path, field.member);
    // A list shows each key in at least one of its items.
    std::vector<const Json*> places;
    if (object != nullptr && object->is_array()) {
      for (const Json& item : object->array()) places.push_back(&item);
    } else if (object != nullptr) {
      places.push_back(object);
    }
    const Json* found = nullptr;
    for (const Json* place : places) {
      if (found == nullptr) found = place->Find(field.member);
    }
    EXPECT_NE(found, nullptr) << member_path;
    ExpectEveryKey(field.fields, part, found, member_path);
  }
}

TEST(PolicyPage, TheExampleLoadsAndShowsEveryKey) {
  const auto policy = Load(DocumentedExample(), "docs/formats/policy.md");
  ASSERT_TRUE(policy) << policy.error().what;
  EXPECT_TRUE(policy->warnings.empty()) << FormatProblem(policy->warnings.front(), "example");
  ExpectEveryKey(PolicyFields(), Part::kBase, &policy->json, "");
  ExpectEveryKey(PolicyFields(), Part::kExtension, policy->json.Find("writ"), "writ");
  EXPECT_EQ(policy->ceilings.memory_bytes, 2ull << 30);
  EXPECT_EQ(policy->ceilings.cpu_millis, 2500u);
  EXPECT_EQ(policy->ceilings.inodes, 200u << 10);
  EXPECT_EQ(policy->consent.at(0).expires, Millis{3'600'000});
}

TEST(PolicyPage, TheJsonFormOfTheExampleIsTheSamePolicy) {
  const auto yaml = Load(DocumentedExample(), "yaml");
  ASSERT_TRUE(yaml) << yaml.error().what;
  const auto json = Load(canon::Pretty(yaml->json), "json");
  ASSERT_TRUE(json) << json.error().what;
  EXPECT_EQ(json->hash, yaml->hash);
  EXPECT_EQ(json->json, yaml->json);
  EXPECT_EQ(json->ceilings, yaml->ceilings);
  EXPECT_EQ(json->consent.at(0).required, 2u);
}

void ExpectSchemaHas(const Json& schema, std::span<const Field> fields, bool root, const std::string& path) {
  SCOPED_TRACE(path);
  const Json* properties = schema.Find("properties");
  ASSERT_NE(properties, nullptr);
  EXPECT_EQ(properties->object().size(), fields.size() + (root ? 1 : 0));
  ASSERT_NE(schema.Find("additionalProperties"), nullptr);
  EXPECT_FALSE(schema.Find("additionalProperties")->boolean());
  for (const Field& field : fields) {
    const Json* property = properties->Find(field.name);
    ASSERT_NE(property, nullptr) << field.name;
    const Json* items = property->Find("items");
    const Json* holder = field.shape == Shape::kTexts ? items : property;
    if (!field.words.empty()) {
      ASSERT_NE(holder, nullptr) << field.name;
      ASSERT_NE(holder->Find("enum"), nullptr) << field.name;
      std::vector<std::string> words;
      for (const Json& word : holder->Find("enum")->array()) words.push_back(word.string());
      EXPECT_THAT(words, testing::UnorderedElementsAreArray(field.words.begin(), field.words.end())) << field.name;
    }
    if (field.shape == Shape::kMap) ExpectSchemaHas(*property, field.fields, false, MemberPath(path, field.name));
    if (field.shape == Shape::kList) {
      ASSERT_NE(items, nullptr) << field.name;
      ExpectSchemaHas(*items, field.fields, false, MemberPath(path, field.name));
    }
  }
}

TEST(PolicySchema, HasTheKeysAndWordsOfTheReader) {
  const auto schema = canon::Parse(SourceFile("docs/formats/policy.schema.json"), canon::Mode::kStrict);
  ASSERT_TRUE(schema) << schema.error().what;
  ExpectSchemaHas(*schema, PolicyFields(), true, "");
}

TEST(PolicySchema, LimitsAreThoseOfTheLimitTable) {
  const auto limits = std::ranges::find(PolicyFields(), "limits", &Field::name);
  ASSERT_EQ(limits->fields.size(), LimitFields().size());
  for (std::size_t i = 0; i < LimitFields().size(); ++i) {
    EXPECT_EQ(limits->fields[i].name, LimitFields()[i].name);
    EXPECT_EQ(limits->fields[i].member, LimitFields()[i].member);
  }
}

TEST(Check, ProblemsHavePlaceKeyAndNeighbour) {
  const Checked checked =
      Check("version: 1\nrunners:\n  allowPool: [local]\nagents:\n  allow: [comand]\nnetwrk: {}\n", "p.yaml");
  EXPECT_FALSE(checked.policy);
  std::vector<std::string> lines;
  for (const Problem& problem : checked.problems) lines.push_back(FormatProblem(problem, "p.yaml"));
  EXPECT_THAT(lines, testing::ElementsAre(
                         "p.yaml:3:3: runners.allowPool is not a key of a policy; did you mean \"allowPools\"?",
                         "p.yaml:6:1: netwrk is not a key of a policy; did you mean \"network\"?"));
}

TEST(Check, MeaningIsCheckedWithPlacesToo) {
  const Checked checked = Check("version: 1\nagents:\n  allow:\n    - command\n    - comand\n", "p.yaml");
  ASSERT_FALSE(checked.policy);
  EXPECT_EQ(FormatProblem(checked.problems.at(0), "p.yaml"),
            "p.yaml:5:7: agents.allow[1] \"comand\" is not one of claude-code, codex, pi, mock, command; did you mean "
            "\"command\"?");
}

constexpr std::string_view kHead = "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n";

TEST(Check, EgressCeilings) {
  const Checked checked = Check(std::string(kHead) + "network: {allowHosts: [a.test]}\negress:\n  rules: ['*.b.test:443', '10.0.0.0/8']\n"
                                "  open: true\n  budget: 2M\n", "p.yaml");
  ASSERT_TRUE(checked.policy) << FormatProblem(checked.problems.at(0), "p.yaml");
  const EgressCeiling& egress = checked.policy->egress;
  EXPECT_FALSE(egress.whatever_is_named);
  EXPECT_TRUE(egress.open);
  EXPECT_EQ(egress.budget_bytes, 2u << 20);
  EXPECT_THAT(egress.hosts, testing::ElementsAre("a.test"));
  ASSERT_EQ(egress.rules.size(), 2u);
  EXPECT_EQ(egress.rules[0].text, "*.b.test:443");
  EXPECT_EQ(canon::Compact(*checked.policy->json.Find("writ")->Find("egress")),
            R"({"rules":["*.b.test:443","10.0.0.0/8"],"open":true,"budgetBytes":2097152})");
  const Checked nothing = Check(std::string(kHead), "p.yaml");
  ASSERT_TRUE(nothing.policy);
  EXPECT_FALSE(nothing.policy->egress.open || nothing.policy->egress.whatever_is_named);
  EXPECT_TRUE(nothing.policy->egress.rules.empty());
}

TEST(Check, EgressProblems) {
  struct Case {
    const char *egress, *says;
  };
  const Case cases[] = {
      {"{rules: ['https://x/']}", "is a URL"},
      {"{rules: ['a.test', '10.0.0.1/8']}", "egress.rules[1]"},
      {"{rules: [1.2.3.4.5]}", "egress.rules[0]"},
      {"{rules: a.test}", "must be a list"},
      {"{rule: [a.test]}", "did you mean \"rules\""},
      {"{open: yes}", "must be true or false"},
      {"{budget: 0}", "egress.budget"},
      {"{budget: lots}", "egress.budget"},
      {"[a.test]", "must be a mapping"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.egress);
    const Checked checked = Check(fmt::format("{}egress: {}\n", kHead, c.egress), "p.yaml");
    EXPECT_FALSE(checked.policy);
    std::string all;
    for (const auto& problem : checked.problems) all += FormatProblem(problem, "p.yaml") + "\n";
    EXPECT_THAT(all, testing::HasSubstr(c.says));
  }
}

TEST(Check, WarnsOfWhatHardlyIsMeant) {
  struct Case {
    const char *rest, *says;
  };
  const Case cases[] = {
      {"runners: {allowPools: [a, a]}", "more than once"},
      {"runners: {allowPools: }", "has no value and allows nothing"},
      {"network: {allowHosts: [Example.org]}", "never matches"},
      {"network: {allowHosts: ['*.example.org']}", "never matches"},
      {"network: {allowHosts: ['example.org:443']}", "never matches"},
      {"network: {allowHosts: [example.org.]}", "never matches"},
      {"network: {defaultDeny: false, allowHosts: [a.test]}", "has no effect"},
      {"secrets: {releasable: [{name: A, scope: s, pools: []}]}", "released to no pool"},
      {"consent: [{when: any-run, approvers: []}]", "nobody can give this consent"},
      {"consent: [{when: any-run, approvers: [a, a], required: 2}]", "requires 2 approvers and names fewer"},
      {"consent: [{when: any-run, match: codex, approvers: [a]}]", "has no effect"},
      {"identities: [{id: a}]", "may run nothing"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.rest);
    const Checked checked = Check(fmt::format("version: 1\n{}\n", c.rest), "p");
    ASSERT_TRUE(checked.policy);
    EXPECT_TRUE(std::ranges::any_of(checked.problems, [&](const Problem& problem) {
      return !problem.fatal && problem.text.find(c.says) != std::string::npos && problem.line > 0;
    }));
    EXPECT_EQ(checked.policy->warnings.size(), checked.problems.size());
  }
}

TEST(Check, TooManyProblemsAreFatalEvenWhenEachIsHarmless) {
  std::string hosts;
  for (int i = 0; i < 200; ++i) hosts += fmt::format("H{}, ", i);
  const Checked checked = Check("version: 1\nnetwork: {allowHosts: [" + hosts + "]}\nconsentt: []\n", "p");
  EXPECT_FALSE(checked.policy);
  const Checked many = Check("version: 1\nnetwork: {allowHosts: [" + hosts + "]}\n", "p");
  EXPECT_FALSE(many.policy);
  EXPECT_LE(many.problems.size(), kProblemsMax);
}

TEST(Check, ProblemsCannotForgeLines) {
  const Checked checked = Check("version: 1\n\"a\\nb\\e[31m\": 1\n", "p\nq");
  ASSERT_FALSE(checked.policy);
  const std::string line = FormatProblem(checked.problems.at(0), "p\nq");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(Load, HugeAndDeepTextsEndQuickly) {
  EXPECT_EQ(Load(std::string(kPolicyBytesMax + 1, ' '), "p").error().code, Code::kExhausted);
  for (const char* piece : {"[", "{", "- ", "? ", "a: ", "x", "\n", "&a ", "{\"a\":", "!", "'", "\"", "#", "|\n "}) {
    SCOPED_TRACE(piece);
    std::string text;
    while (text.size() + 8 < kPolicyBytesMax) text += piece;
    EXPECT_FALSE(Load(text, "p"));
  }
  std::string names = "version: 1\n";
  for (int i = 0; names.size() < 900'000; ++i) names += fmt::format("key{}: 1\n", i);
  EXPECT_FALSE(Load(names, "p"));
}

class PolicyFile : public testing::Test {
 protected:
  PolicyFile() : directory_(*sys::TemporaryDirectory::Create("/tmp", "writ-policy-")) {}
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    const std::string path = Path(name);
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  sys::TemporaryDirectory directory_;
};

TEST_F(PolicyFile, ReadsBothForms) {
  EXPECT_TRUE(LoadFile(Write("a.yaml", "version: 1\n")));
  EXPECT_TRUE(LoadFile(Write("b.yaml", "\n {\"version\":\"warrant.policy.v1\"}")));
  EXPECT_EQ(LoadFile(Path("a.yaml"))->source, Path("a.yaml"));
}

TEST_F(PolicyFile, Attack18_AFileThatOthersMayWriteIsRefused) {
  for (const mode_t mode : {0622, 0660, 0602}) {
    const auto policy = LoadFile(Write("open.yaml", "version: 1\n", mode));
    ASSERT_FALSE(policy);
    EXPECT_EQ(policy.error().code, Code::kDenied);
    EXPECT_THAT(policy.error().what, testing::HasSubstr("chmod go-w"));
  }
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const std::string path = Write("foreign.yaml", "version: 1\n");
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_EQ(LoadFile(path).error().code, Code::kDenied);
}

TEST_F(PolicyFile, WhatIsNoFileIsRefusedWithoutWaiting) {
  EXPECT_EQ(LoadFile(Path("none")).error().code, Code::kNotFound);
  EXPECT_EQ(LoadFile(directory_.path()).error().code, Code::kInvalid);
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(LoadFile(Path("fifo")).error().code, Code::kInvalid);
  EXPECT_EQ(LoadFile("/dev/zero").error().code, Code::kInvalid);
}

TEST_F(PolicyFile, LocalOrderIsExplicitThenConfigurationThenBuiltIn) {
  const EnvLookup env = [&](std::string_view name) -> std::optional<std::string> {
    if (name == "XDG_CONFIG_HOME") return directory_.path();
    return std::nullopt;
  };
  EXPECT_EQ(*LocalPolicyPath(env, false), Path("writ/policy.yaml"));
  EXPECT_EQ(*LocalPolicyPath(env, true), "/etc/writ/policy.yaml");
  EXPECT_EQ(*LocalPolicyPath(
                [](std::string_view name) -> std::optional<std::string> {
                  return name == "HOME" ? std::optional<std::string>("/home/x") : std::nullopt;
                },
                false),
            "/home/x/.config/writ/policy.yaml");
  EXPECT_EQ(
      LocalPolicyPath([](std::string_view) { return std::optional<std::string>("relative"); }, false).error().code,
      Code::kInvalid);
  EXPECT_EQ(LocalPolicyPath([](std::string_view) { return std::optional<std::string>(); }, false).error().code,
            Code::kInvalid);
  EXPECT_EQ(LoadLocal(Write("mine.yaml", "version: 1\nname: mine\n"), env)->name, "mine");
  EXPECT_EQ(LoadLocal(Path("none"), env).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace writ::policy

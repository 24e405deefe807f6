#include "cli/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/units.h"
#include "isolation/backend.h"

namespace writ::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string_view>;

Invocation MustParse(const Words& words) {
  auto parsed = ParseCommandLine(words);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().what;
  return parsed ? *parsed : Invocation{};
}
UsageError MustFail(const Words& words) {
  const auto parsed = ParseCommandLine(words);
  EXPECT_FALSE(parsed.has_value());
  return parsed ? UsageError{} : parsed.error();
}

TEST(Parse, ReadsBothFormsOfValuesAndClusters) {
  const Words words{"run", "--timeout", "5s", "--memory=64M", "-it", "-e", "A=1", "-eB=2", "--", "sh", "-c", "x"};
  const auto run = MustParse(words);
  EXPECT_EQ(run.command->name, "run");
  EXPECT_EQ(run.Value("timeout"), "5s");
  EXPECT_EQ(run.Value("memory"), "64M");
  EXPECT_TRUE(run.Has("interactive"));
  EXPECT_TRUE(run.Has("tty"));
  EXPECT_THAT(run.Values("env"), ElementsAre("A=1", "B=2"));
  EXPECT_THAT(run.operands, ElementsAre("sh", "-c", "x"));
}

TEST(Parse, TheJobsOwnOptionsAreItsOwn) {
  EXPECT_THAT(MustParse({"run", "ls", "--json", "-q"}).operands, ElementsAre("ls", "--json", "-q"));
  EXPECT_FALSE(MustParse({"run", "ls", "--json"}).Has("json"));
  EXPECT_THAT(MustParse({"run", "--", "--weird", "--", "x"}).operands, ElementsAre("--weird", "--", "x"));
  EXPECT_THAT(MustParse({"run", "--", "printf", ""}).operands, ElementsAre("printf", ""));
}

TEST(Parse, OptionsMayFollowOperandsElsewhere) {
  const auto get = MustParse({"get", "3f2a", "report.txt", "-o", "out", "--json"});
  EXPECT_THAT(get.operands, ElementsAre("3f2a", "report.txt"));
  EXPECT_EQ(get.Value("out-dir"), "out");
  EXPECT_TRUE(get.Has("json"));
  EXPECT_THAT(MustParse({"canon", "-"}).operands, ElementsAre("-"));
  EXPECT_THAT(MustParse({"canon", "--", "--file"}).operands, ElementsAre("--file"));
}

TEST(Parse, CommandsOfTwoWords) {
  EXPECT_EQ(MustParse({"policy", "check", "p.yaml"}).command->name, "policy check");
  EXPECT_THAT(MustFail({"policy"}).what, HasSubstr("check, show"));
  EXPECT_THAT(MustFail({"policy", "chekc"}).what, HasSubstr("check, show"));
}

TEST(Parse, LastValueWins) { EXPECT_EQ(MustParse({"run", "--pids=1", "--pids", "2", "x"}).Value("pids"), "2"); }

TEST(Parse, ErrorsSayWhatWouldBeRight) {
  struct Case { Words words; const char* says; };
  const Case cases[] = {
      {{"rum"}, "did you mean `run`?"},
      {{"frobnicate"}, "unknown command `frobnicate`; see `writ help`"},
      {{"run", "--memroy", "1G", "x"}, "unknown option `--memroy`, did you mean `--memory`?; see `writ help run`"},
      {{"run", "-z", "x"}, "unknown option `-z`"},
      {{"run"}, "COMMAND is missing"},
      {{"run", "--"}, "COMMAND is missing"},
      {{"run", "--", ""}, "COMMAND is empty"},
      {{"run", "--timeout"}, "`--timeout` needs a value: TIME"},
      {{"run", "--workspace", "", "x"}, "empty value"},
      {{"run", "--workspace=", "x"}, "empty value"},
      {{"run", "--quiet=yes", "x"}, "takes no value"},
      {{"run", "--on-output-limit", "explode", "x"}, "one of cut kill"},
      {{"show"}, "RUN is missing"},
      {{"show", ""}, "RUN is empty"},
      {{"show", "a", "b"}, "unexpected `b`"},
      {{"--frob"}, "unknown option `--frob`"},
      {{"--generate", "perl"}, "one of man bash zsh fish"},
      {{"run", "--\x1b]0;x", "y"}, "`--\\u{1b}]0;x`"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    EXPECT_THAT(MustFail(c.words).what, HasSubstr(c.says));
  }
}

TEST(Parse, KnowsWhetherJsonWasWanted) {
  EXPECT_TRUE(MustFail({"run", "--json", "--nope", "x"}).json);
  EXPECT_TRUE(MustFail({"run", "--nope", "--json", "x"}).json);
  EXPECT_FALSE(MustFail({"run", "--nope", "--", "--json"}).json);
}

TEST(Parse, HelpNeedsNothingElse) {
  EXPECT_TRUE(MustParse({"run", "--help"}).Has("help"));
  EXPECT_TRUE(MustParse({"show", "-h"}).Has("help"));
  EXPECT_EQ(MustParse({"--help"}).command, nullptr);
  EXPECT_THAT(MustParse({}).operands, IsEmpty());
}

TEST(CommandTable, IsConsistent) {
  std::set<std::string_view> names;
  for (const auto& command : Commands()) {
    SCOPED_TRACE(command.name);
    EXPECT_TRUE(names.insert(command.name).second);
    EXPECT_FALSE(command.summary.empty());
    EXPECT_FALSE(command.summary.ends_with('.'));
    EXPECT_FALSE(command.statuses.empty());
    std::set<std::string_view> options;
    std::set<char> letters;
    for (const auto& group : command.groups) {
      for (const auto& option : group.options) {
        SCOPED_TRACE(option.name);
        EXPECT_TRUE(options.insert(option.name).second);
        if (option.letter) {
          EXPECT_TRUE(letters.insert(option.letter).second);
        }
        EXPECT_FALSE(option.help.empty());
        EXPECT_EQ(option.kind == Kind::kFlag, option.value.empty());
        EXPECT_EQ(option.kind == Kind::kChoice, !option.choices.empty());
      }
    }
    EXPECT_TRUE(options.contains("json") || command.name == "runner") << "every command speaks JSON but the one that answers nothing";
    EXPECT_TRUE(options.contains("help"));
    std::string_view also = command.see_also;
    while (!also.empty()) {
      std::string name(also.substr(0, also.find(' ')));
      also.remove_prefix(std::min(also.size(), name.size() + 1));
      if (const auto dash = name.find('-'); dash != std::string::npos) name[dash] = ' ';
      EXPECT_NE(FindCommand(name), nullptr) << name;
    }
  }
}

TEST(CommandTable, ShowsTheDefaultsThatApply) {
  const auto fallback = [](std::string_view name) {
    for (const auto& group : FindCommand("run")->groups) {
      for (const auto& option : group.options) {
        if (option.name == name) return option.fallback;
      }
    }
    return std::string_view{};
  };
  const Limits limits;
  EXPECT_EQ(ParseDuration(fallback("timeout")).value(), limits.wall_time);
  EXPECT_EQ(ParseDuration(fallback("cpu-time")).value(), limits.cpu_time);
  EXPECT_EQ(ParseCores(fallback("cpus")).value(), limits.cpu_millis);
  EXPECT_EQ(ParseSize(fallback("memory")).value(), limits.memory_bytes);
  EXPECT_EQ(ParseSize(fallback("pids")).value(), limits.pids);
  EXPECT_EQ(ParseSize(fallback("files")).value(), limits.open_files);
  EXPECT_EQ(ParseSize(fallback("stdout-max")).value(), limits.stdout_bytes);
  EXPECT_EQ(ParseSize(fallback("stderr-max")).value(), limits.stderr_bytes);
  EXPECT_EQ(ParseSize(fallback("disk")).value(), limits.disk_bytes);
  EXPECT_EQ(ParseSize(fallback("inodes")).value(), limits.inodes);
}

}  // namespace
}  // namespace writ::cli

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "cli/completion.h"
#include "cli/help.h"
#include "cli/man.h"

namespace writ::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool Installed(const char* program) {
  return std::system(fmt::format("command -v {} >/dev/null 2>&1", program).c_str()) == 0;  // NOLINT: fixed words
}

/// Writes `text` to a file, runs `command FILE` and returns everything it prints; its exit status goes to `status`.
std::string Check(const char* command, const std::string& text, int& status) {
  char path[] = "/tmp/writ-render-XXXXXX";
  const int fd = ::mkstemp(path);
  EXPECT_GE(fd, 0);
  ::close(fd);
  std::ofstream(path) << text;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(fmt::format("{} {} 2>&1", command, path).c_str(), "r"),
                                                   [](FILE*) { return 0; });
  std::string out;
  char buffer[4096];
  while (const auto got = std::fread(buffer, 1, sizeof buffer, pipe.get())) out.append(buffer, got);
  status = WEXITSTATUS(::pclose(pipe.get()));
  ::unlink(path);
  return out;
}

TEST(Help, NamesEveryOptionAndFitsTheScreen) {
  for (const auto& command : Commands()) {
    const std::string help = RenderHelp(command, 100);
    for (const auto& group : command.groups) {
      for (const auto& option : group.options) EXPECT_THAT(help, HasSubstr("--" + std::string(option.name)));
    }
    std::size_t start = 0;
    while (start < help.size()) {
      const auto end = help.find('\n', start);
      if (help.substr(start, 2) != "  ") {
        EXPECT_LE(end - start, 100u) << command.name << ": " << help.substr(start, end - start);
      }
      start = end + 1;
    }
    EXPECT_THAT(help, Not(HasSubstr(" \n"))) << command.name;
  }
}

TEST(Help, RunShowsDefaultsAndExitStatuses) {
  const std::string help = RenderHelp(*FindCommand("run"));
  for (const char* text : {"Usage: writ run [options] [--] COMMAND [ARG...]", "(default: 1G)", "122", "123", "124", "125", "130", "137",
                           "needs approval"}) {
    EXPECT_THAT(help, HasSubstr(text));
  }
}

TEST(Help, ProgramListsEveryCommand) {
  const std::string help = RenderProgramHelp();
  for (const auto& command : Commands()) EXPECT_THAT(help, HasSubstr(std::string(command.summary)));
}

TEST(ManPages, AreCleanTroff) {
  if (!Installed("groff")) GTEST_SKIP() << "groff is not installed";
  int status = 0;
  for (const auto& command : Commands()) {
    EXPECT_EQ(Check("groff -man -Tutf8 -ww -z", RenderManPage(command), status), "") << ManPageName(command);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Check("groff -man -Tutf8 -ww -z", RenderProgramManPage(), status), "");
}

TEST(ManPages, KeepOptionsAndQuotesAsTyped) {
  const std::string page = RenderManPage(*FindCommand("run"));
  EXPECT_THAT(page, HasSubstr("\\-\\-workspace DIR"));
  EXPECT_THAT(page, HasSubstr("python3 \\-c \\(aqprint(6*7)\\(aq"));
  EXPECT_EQ(ManPageName(*FindCommand("policy check")), "writ-policy-check.1");
}

TEST(Completions, AreAcceptedByTheirShells) {
  int status = 0;
  EXPECT_EQ(Check("bash -n", RenderBashCompletion(), status), "");
  EXPECT_EQ(status, 0);
  if (Installed("zsh")) {
    EXPECT_EQ(Check("zsh -n", RenderZshCompletion(), status), "");
    EXPECT_EQ(status, 0);
  }
  if (Installed("fish")) {
    EXPECT_EQ(Check("fish --no-execute", RenderFishCompletion(), status), "");
    EXPECT_EQ(status, 0);
  }
}

TEST(Completions, BashCompletesCommandsOptionsAndChoices) {
  const std::string script = RenderBashCompletion() + R"(
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _writ; echo "${COMPREPLY[@]}"; }
try writ doc
try writ run --mem
try writ policy ch
try writ run --on-output-limit ki
)";
  int status = 0;
  EXPECT_EQ(Check("bash", script, status), "doctor\n--memory\ncheck\nkill\n");
}

TEST(Completions, NameEveryOption) {
  for (const auto& script : {RenderBashCompletion(), RenderZshCompletion(), RenderFishCompletion()}) {
    for (const auto& command : Commands()) {
      for (const auto& group : command.groups) {
        for (const auto& option : group.options) EXPECT_THAT(script, HasSubstr(std::string(option.name)));
      }
    }
  }
}

}  // namespace
}  // namespace writ::cli

// `writ secret`, and runs that are given secrets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "base/bytes.h"
#include "harness.h"

namespace writ::cli_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kValue = "hunter2/Hunter2+=";

/// A command whose stdin is `text`.
Ended WithInput(const Machine& machine, const std::vector<std::string>& arguments, std::string_view text, StartOptions options = {}) {
  const std::string file = machine.Write("stdin.txt", text);
  const sys::UniqueFd fd = sys::OpenFile(file, O_RDONLY).value();
  options.stdin_fd = fd.get();
  auto ended = machine.Run(arguments, options);
  std::filesystem::remove(file);
  return ended;
}

void Set(const Machine& machine, const std::string& name, std::string_view value) {
  const Ended set = WithInput(machine, {"secret", "set", name}, std::string(value) + "\n");
  ASSERT_EQ(set.status, 0) << set.err;
}

/// Every form of the value that a careless program may have written.
std::vector<std::string> Forms(std::string_view value) {
  return {std::string(value), Base64Encode(AsBytes(value)), HexEncode(AsBytes(value)),
          Base64Encode(AsBytes(std::string("u:") + std::string(value))).substr(3)};
}

std::string Slurp(const std::filesystem::path& path) { return sys::ReadFile(path, 256u << 20).value_or(""); }

/// Files below a directory that hold one of the texts.
std::vector<std::string> FilesWith(const std::filesystem::path& directory, const std::vector<std::string>& texts) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const std::string content = Slurp(entry.path());
    for (const auto& text : texts) {
      if (content.find(text) != std::string::npos) found.push_back(entry.path().string() + " holds " + text);
    }
  }
  return found;
}

TEST(Secret, SetListRemoveAndImport) {
  const Machine machine;
  Set(machine, "B_TOKEN", kValue);
  const std::string env = machine.Write(".env", "# two\nA_TOKEN='first value'\nC_TOKEN=\"second\\nvalue\"\n", 0600);
  EXPECT_EQ(machine.Run({"secret", "import", env}).out, "2 secrets set\n");
  EXPECT_EQ(WithInput(machine, {"secret", "set", "BOUND", "--host", "API.example.org"}, kValue).status, 0);
  const canon::Json listed = machine.Json({"secret", "list", "--json"});
  const auto& rows = listed.Find("secrets")->array();
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(Member(rows[0], "name"), "A_TOKEN");
  EXPECT_EQ(Member(rows[1], "host"), "api.example.org");
  EXPECT_EQ(Member(rows[2], "host"), "");
  const Ended text = machine.Run({"secret", "list"});
  EXPECT_THAT(text.out, HasSubstr("C_TOKEN"));
  EXPECT_THAT(text.out, Not(HasSubstr("value")));
  EXPECT_EQ(machine.Run({"secret", "remove", "B_TOKEN"}).status, 0);
  EXPECT_EQ(machine.Run({"secret", "remove", "B_TOKEN"}).status, 1);
  EXPECT_EQ(machine.Json({"secret", "list", "--json"}).Find("secrets")->array().size(), 3u);
}

TEST(Secret, BadValuesNamesAndFilesAreRefusedWithoutShowingThem) {
  const Machine machine;
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"A", "abc"}, {"A", ""}, {"A", std::string("nul\0byte", 8)}, {"9A", "hunter2hunter2"}, {"WRIT_X", "hunter2hunter2"}, {"A", std::string(70000, 'x')}}) {
    const Ended refused = WithInput(machine, {"secret", "set", name}, value);
    EXPECT_EQ(refused.status, 1) << name << " " << value.size();
    EXPECT_THAT(refused.err, Not(HasSubstr("hunter2")));
  }
  const std::string env = machine.Write("bad.env", "GOOD=hunter2hunter2\nBAD=hunter2 hunter2\n");
  const Ended refused = machine.Run({"secret", "import", env});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("line 2"));
  EXPECT_THAT(refused.err, Not(HasSubstr("hunter2")));
  EXPECT_EQ(machine.Json({"secret", "list", "--json"}).Find("secrets")->array().size(), 0u) << "all of them or none";
  EXPECT_EQ(machine.Run({"secret", "set", "A", "--from", "hunter2"}).status, 1);
  EXPECT_EQ(machine.Run({"secret", "set", "A", "--link"}).status, 1);
  EXPECT_EQ(machine.Run({"secret", "set", "A", "value-as-argument"}).status, 2);
}

TEST(Secret, ComesFromVariableFileAndDescriptor) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const std::string file = machine.Write("token", "from-a-file\r\n");
  EXPECT_EQ(machine.Run({"secret", "set", "A", "--from", "env:SOME_VALUE"}, {.env = {{"SOME_VALUE", "from-a-variable"}}}).status, 0);
  EXPECT_EQ(machine.Run({"secret", "set", "B", "--from", "file:" + file}).status, 0);
  EXPECT_EQ(WithInput(machine, {"secret", "set", "C", "--from", "fd:0"}, "from-a-descriptor").status, 0);
  EXPECT_EQ(machine.Run({"secret", "set", "D", "--from", "env:LINKED", "--link"}).status, 0);
  EXPECT_EQ(machine.Run({"secret", "set", "E", "--from", "env:NOT_SET"}).status, 1);
  const Ended run = machine.Run({"run", "-q", "--secret", "A", "--secret", "B", "--secret", "C", "--secret", "D", "--", "sh", "-c",
                                 "echo ${#A} ${#B} ${#C} $D | tr a-z A-Z"},
                                {.env = {{"LINKED", "linked-value"}}});
  EXPECT_EQ(run.out, "15 11 17 LINKED-VALUE\n") << run.err;
  const Ended unset = machine.Run({"run", "--secret", "D", "--", "true"});
  EXPECT_EQ(unset.status, 125);
  EXPECT_THAT(unset.err, HasSubstr("LINKED"));
}

TEST(Secret, ATerminalIsAskedAndDoesNotShowTheValue) {
  const Machine machine;
  int main_fd = -1, terminal_fd = -1;
  ASSERT_EQ(::openpty(&main_fd, &terminal_fd, nullptr, nullptr, nullptr), 0);
  const sys::UniqueFd main(main_fd), terminal(terminal_fd);
  Process process = machine.Start({"secret", "set", "TYPED"}, {.stdin_fd = terminal.get()});
  std::string seen;
  const auto read_until = [&](std::string_view text) {
    const Deadline deadline = Deadline::After(Millis{20'000});
    ::fcntl(main.get(), F_SETFL, O_NONBLOCK);
    while (seen.find(text) == std::string::npos && !deadline.Passed()) {
      char buffer[256];
      const ssize_t got = ::read(main.get(), buffer, sizeof(buffer));
      if (got > 0) seen.append(buffer, static_cast<std::size_t>(got));
      else std::this_thread::sleep_for(Millis{5});
    }
  };
  read_until("(not shown): ");
  ASSERT_TRUE(sys::WriteAll(main.get(), std::string_view("typed-value\n")));
  EXPECT_EQ(process.Wait().status, 0);
  read_until("\n");
  EXPECT_THAT(seen, HasSubstr("Value of TYPED"));
  EXPECT_THAT(seen, Not(HasSubstr("typed-value")));
  EXPECT_EQ(machine.Json({"secret", "list", "--json"}).Find("secrets")->array().size(), 1u);
}

TEST(Secret, ReachesTheJobAndNothingElse) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  Set(machine, "TOKEN", kValue);
  const std::string results = machine.File("results");
  const Ended run = machine.Run({"run", "--secret", "TOKEN=API_KEY", "--output", "key.txt", "--out-dir", results, "--", "sh", "-c",
                                 "test \"$TOKEN\" = '" + std::string("hunter2/") + "Hunter2+='; test \"$TOKEN\" = \"$API_KEY\" && echo same; "
                                 "echo \"plain $TOKEN\"; printf 'u:%s' \"$TOKEN\" | base64; echo \"err $API_KEY\" >&2; "
                                 "echo \"$TOKEN\" > /out/key.txt; echo \"$TOKEN\" > file; mkdir \"/work/d-$(printf %s \"$TOKEN\" | tr / _)\""});
  EXPECT_EQ(run.status, 125) << "the value stands in the command line: " << run.err;
  EXPECT_THAT(run.err, Not(HasSubstr("Hunter2")));

  const Ended good = machine.Run({"run", "--secret", "TOKEN=API_KEY", "--output", "key.txt", "--out-dir", results, "--", "sh", "-c",
                                  "test ${#TOKEN} = 17 && test \"$TOKEN\" = \"$API_KEY\" && echo same; "
                                  "echo \"plain $TOKEN\"; printf 'u:%s' \"$TOKEN\" | base64; echo \"err $API_KEY\" >&2; "
                                  "echo \"$TOKEN\" > /out/key.txt; echo \"$TOKEN\" > file; env"});
  ASSERT_EQ(good.status, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("same\nplain [redacted:TOKEN]\n"));
  EXPECT_THAT(good.err, HasSubstr("err [redacted:TOKEN]\n"));
  EXPECT_THAT(good.out, HasSubstr("API_KEY=[redacted:TOKEN]\n"));
  for (const auto& form : Forms(kValue)) EXPECT_EQ((good.out + good.err).find(form), std::string::npos) << form;
  EXPECT_EQ(Slurp(results + "/key.txt"), "[redacted:TOKEN]\n");
  const std::string id = machine.NewestRun();
  EXPECT_THAT(machine.Run({"diff", id}).out, HasSubstr("+[redacted:TOKEN]"));
  const canon::Json shown = machine.Json({"show", "--json", id});
  EXPECT_EQ(canon::Compact(*shown.Find("receipt")->Find("secretsReleased")->array().at(0).Find("name")), "\"TOKEN\"");
  EXPECT_NE(shown.Find("receipt")->Find("writ")->Find("enforced")->FindString("redaction"), nullptr);
  EXPECT_EQ(machine.Run({"verify", id}).status, 0);
}

TEST(Secret, AMissingOneIsRefusedBeforeAnythingRuns) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended refused = machine.Run({"run", "--secret", "NOPE", "--", "echo", "ran"});
  EXPECT_EQ(refused.status, 125);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, HasSubstr("writ secret set NOPE"));
  EXPECT_EQ(machine.Json({"list", "--json"}).Find("runs")->array().size(), 0u);
  EXPECT_EQ(machine.Run({"run", "--dry-run", "--secret", "NOPE", "--", "true"}).status, 125);
  const Ended looks = machine.Run({"run", "-q", "--env", "MY_PASSWORD=x", "--", "true"});
  EXPECT_THAT(looks.err, HasSubstr("writ secret set MY_PASSWORD"));
}

TEST(Secret, TheMasterKeyOfTheEnvironmentCountsAndStaysWithWrit) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const StartOptions with_key{.env = {{"WRIT_MASTER_KEY", "correct horse battery"}}};
  const Ended set = WithInput(machine, {"secret", "set", "TOKEN"}, kValue, with_key);
  ASSERT_EQ(set.status, 0) << set.err;
  EXPECT_FALSE(std::filesystem::exists(machine.state() + "/master.key"));
  EXPECT_EQ(machine.Run({"secret", "list"}).status, 1) << "without the key nothing opens";
  const Ended run = machine.Run({"run", "-q", "--secret", "TOKEN", "--", "env"}, with_key);
  EXPECT_THAT(run.out, HasSubstr("TOKEN=[redacted:TOKEN]"));
  EXPECT_THAT(run.out, Not(HasSubstr("correct horse")));
  EXPECT_EQ(machine.Run({"run", "--env", "WRIT_MASTER_KEY", "--", "env"}, with_key).status, 125);
  Set(Machine(), "OTHER", kValue);
  const Machine careless;
  Set(careless, "TOKEN", kValue);
  ASSERT_EQ(::chmod((careless.state() + "/master.key").c_str(), 0644), 0);
  const Ended refused = careless.Run({"run", "--secret", "TOKEN", "--", "true"});
  EXPECT_EQ(refused.status, 125);
  EXPECT_THAT(refused.err, HasSubstr("chmod 600"));
}

/// What a process shows of itself: cmdline and environ.
std::string ShownBy(const std::filesystem::path& process) {
  std::string shown;
  for (const char* name : {"cmdline", "environ"}) shown += Slurp(process / name) + "\n";
  return shown;
}

TEST(Attack42_Secrets, AreNotFoundInProcessesCoreFilesLogsStoreOrBundle) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const StartOptions with_key{.env = {{"WRIT_MASTER_KEY", "master-correct-horse"}, {"LINKED_VALUE", "linked-hunter3-value"}}};
  ASSERT_EQ(WithInput(machine, {"secret", "set", "TOKEN"}, kValue, with_key).status, 0);
  ASSERT_EQ(machine.Run({"secret", "set", "LINKED", "--from", "env:LINKED_VALUE", "--link"}, with_key).status, 0);
  std::vector<std::string> texts = Forms(kValue);
  texts.push_back("master-correct-horse");
  texts.push_back("linked-hunter3-value");

  const std::string directory = machine.File("cwd");
  std::filesystem::create_directory(directory);
  StartOptions options = with_key;
  options.directory = directory;
  options.in_child = [] {
    const struct rlimit endless{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CORE, &endless);
  };
  Process process = machine.Start({"run", "--secret", "TOKEN", "--secret", "LINKED", "--", "sh", "-c", "echo $TOKEN; echo $LINKED >&2; echo ready; sleep 60"}, options);
  ASSERT_TRUE(process.WaitForOutput("ready"));
  std::size_t looked_at = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (pid == std::to_string(::getpid())) continue;  // this test has the values itself
    const std::string shown = ShownBy(entry.path());
    if (shown.find("HOME=/tmp/home") != std::string::npos) continue;  // the job itself
    ++looked_at;
    for (const auto& text : texts) EXPECT_EQ(shown.find(text), std::string::npos) << "process " << pid << " shows " << text;
  }
  EXPECT_GT(looked_at, 0u);

  ASSERT_EQ(::kill(process.pid(), SIGABRT), 0);
  const Ended aborted = process.Wait();
  EXPECT_EQ(aborted.status, 128 + SIGABRT);
  for (const auto& entry : std::filesystem::directory_iterator(directory)) ADD_FAILURE() << "left behind: " << entry.path();
  for (const auto& text : texts) EXPECT_EQ((aborted.out + aborted.err).find(text), std::string::npos) << text;

  // A whole run, and everything that is kept of both.
  const Ended run = machine.Run({"run", "--secret", "TOKEN", "--output", "o", "--", "sh", "-c", "echo $TOKEN | tee /out/o f; ls /nonexistent/$TOKEN"}, with_key);
  EXPECT_NE(run.status, 125) << run.err;
  const std::string bundle = machine.File("bundle.json");
  EXPECT_EQ(machine.Run({"bundle", machine.NewestRun(), "-o", bundle}).status, 0);
  EXPECT_EQ(FilesWith(machine.state(), texts), std::vector<std::string>());
  for (const auto& text : texts) EXPECT_EQ(Slurp(bundle).find(text), std::string::npos) << text;
  for (const std::vector<std::string>& asked : std::vector<std::vector<std::string>>{{"show", "--json"}, {"logs"}, {"diff"}}) {
    auto arguments = asked;
    arguments.push_back(machine.NewestRun());
    const Ended shown = machine.Run(arguments);
    for (const auto& text : texts) EXPECT_EQ((shown.out + shown.err).find(text), std::string::npos) << asked[0] << " shows " << text;
  }
}

}  // namespace
}  // namespace writ::cli_test

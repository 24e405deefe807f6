// One command line, here and on a plane: what a person or a script sees of it is the same.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "fleet_for_test.h"
#include "loopback_for_test.h"

namespace writ::cli_test {
namespace {

using testing::HasSubstr;

/// Every file below a directory: "path mode content".
std::string Listed(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<std::string> lines;
  if (!fs::exists(directory)) return "nothing";
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string path = fs::relative(entry.path(), directory).string();
    const auto mode = static_cast<unsigned>(entry.symlink_status().permissions()) & 0777;
    lines.push_back(entry.is_regular_file() ? fmt::format("{} {:o} {}", path, mode, *sys::ReadFile(entry.path(), 1 << 20)) : fmt::format("{} {:o}", path, mode));
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

TEST(PlaneParity, ACommandLineDoesTheSameHereAndThere) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const Machine& machine = fleet.machine;
  const std::string data = machine.Write("data.csv", "a,b\n1,2\n");
  const std::string tool = machine.Write("tool.sh", "#!/bin/sh\necho tool says \"$@\"\n", 0755);
  const std::string said = machine.Write("said.txt", "first line\nsecond line\n");
  ASSERT_TRUE(sys::MakeDirectories(machine.File("site/css/deep"), 0755));
  machine.Write("site/index.html", "<p>hello\n");
  machine.Write("site/css/deep/a.css", "body{}\n");
  machine.Write("site/build", "#!/bin/sh\necho built\n", 0755);
  std::filesystem::create_symlink("css/deep", machine.File("site/link"));
  std::filesystem::create_symlink("/etc/hostname", machine.File("site/outside"));

  struct Case {
    const char* why;
    std::vector<std::string> words;  ///< after `writ run`
    bool gives_stdin = false;
  };
  const Case cases[] = {
      {"streams and status", {"--", "sh", "-c", "echo out; echo err >&2; exit 3"}},
      {"a signal", {"--", "sh", "-c", "kill -SEGV $$"}},
      {"no such program", {"--", "/no/such/program"}},
      {"no program at all", {"--", "/etc"}},
      {"environment", {"--env", "GREETING=good morning", "--", "sh", "-c", "env | sort | grep -v ^_="}},
      {"who, where", {"--", "sh", "-c", "id; pwd; ls -a / /work /tmp; umask; ulimit -a; ls /home; cat /proc/1/comm"}},
      {"network", {"--", "sh", "-c", "ls /sys/class/net 2>&1; cat /proc/net/dev | wc -l"}},
      {"a directory of its own", {"--cwd", "none", "--", "pwd"}},
      {"time", {"--timeout", "300ms", "--", "sleep", "60"}},
      {"memory", {"--memory", "32M", "--", "sh", "-c", "exec python3 -c 'print(len(bytearray(200000000)))'"}},
      {"processes", {"--pids", "8", "--", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done 2>/dev/null; wait; echo $?"}},
      {"open files", {"--files", "20", "--", "sh", "-c", "ulimit -n"}},
      {"disk", {"--disk", "1M", "--", "sh", "-c", "head -c 5000000 /dev/zero > big; echo $?; wc -c < big"}},
      {"output that is cut", {"--stdout-max", "1K", "--", "sh", "-c", "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo $i; done; exit 4"}},
      {"output that kills", {"--stdout-max", "1K", "--on-output-limit", "kill", "--", "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; done"}},
      {"a file", {"--input", data, "--", "sh", "-c", "cat /in/data.csv; stat -c '%n %A %s' /in/data.csv; echo x 2>&1 >> /in/data.csv; echo $?"}},
      {"a program under another name", {"--input", tool + ":run-me", "--", "/in/run-me", "a b", "c"}},
      {"a directory", {"--input", machine.File("site"), "--", "sh", "-c", "cd /in/site && find . | sort | xargs -n1 stat -c '%n %A %F %s' && cat index.html link/a.css && readlink outside && ./build; touch /in/site/x"}},
      {"the same content twice", {"--input", data + ":one", "--input", data + ":two", "--", "cat", "/in/one", "/in/two"}},
      {"two of one name", {"--input", data, "--input", data, "--", "true"}},
      {"an input that is not there", {"--input", machine.File("absent"), "--", "true"}},
      {"results", {"--output", "report.txt", "--output", "tree", "--output", "tool", "--out-dir", "OUT", "--", "sh", "-c",
                   "cd /out; echo r > report.txt; mkdir -p tree/a; echo t > tree/a/b; ln -s /etc/passwd tree/link; printf '#!/bin/sh\\n' > tool; chmod 755 tool; echo more > undeclared"}},
      {"a result that is missing", {"--output", "absent", "--output", "there", "--out-dir", "OUT", "--", "sh", "-c", "echo x > /out/there"}},
      {"one that need not be there", {"--output", "absent?", "--out-dir", "OUT", "--", "true"}},
      {"a result of a run that failed", {"--output", "log", "--out-dir", "OUT", "--", "sh", "-c", "echo why > /out/log; exit 9"}},
      {"a link as a result", {"--output", "report", "--out-dir", "OUT", "--", "ln", "-s", "/etc/passwd", "/out/report"}},
      {"results in a place that is taken", {"--output", "x", "--out-dir", data, "--", "sh", "-c", "echo x > /out/x"}},
      {"stdin", {"-i", "--", "sh", "-c", "cat; cat; echo end"}, true},
      {"stdin that is not read", {"-i", "--", "true"}, true},
      {"no stdin", {"--", "cat"}, true},
      {"a limit that is none", {"--memory", "0", "--", "true"}},
      {"a mechanism that is none", {"--accept", "speed=slow", "--", "true"}},
      {"a command that is none", {"--", ""}},
  };
  int count = 0;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    ++count;
    Ended ended[2];
    std::string left[2];
    for (const bool elsewhere : {false, true}) {
      std::vector<std::string> words = {"run", "-q"};
      if (elsewhere) words.insert(words.end(), {"--plane", "lab"});
      const std::string out_dir = machine.File(fmt::format("out-{}-{}", count, elsewhere));
      for (const auto& word : c.words) words.push_back(word == "OUT" ? out_dir : word);
      sys::UniqueFd from;
      if (c.gives_stdin) from = sys::OpenFile(said, O_RDONLY).value();
      ended[elsewhere] = machine.Run(words, {.stdin_fd = from.get()});
      left[elsewhere] = Listed(out_dir);
    }
    EXPECT_EQ(ended[1].status, ended[0].status) << "there: " << ended[1].err << "here: " << ended[0].err << fleet.Log();
    EXPECT_EQ(ended[1].out, ended[0].out) << ended[1].err;
    EXPECT_EQ(left[1], left[0]) << ended[1].err;
  }
}

TEST(PlaneParity, NetworkAndAcceptedMechanismsAreTheSameHereAndThere) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet("", R"({"v": 1, "tiers": {"allow": ["process"]}, "accept": ["*"], "egress": {"rules": ["127.0.0.0/8"]}})");
  const Machine& machine = fleet.machine;
  const Server server;
  const std::string address = server.Address(), name = fmt::format("localhost:{}", server.port());
  const auto gets = [](const std::string& what) { return std::vector<std::string>{"--", "bash", "-c", kGet + "get " + what}; };
  struct Case {
    const char* why;
    std::vector<std::string> words;
    std::vector<std::string> job;
    std::string says;  ///< its whole standard output
  };
  const std::string good = "HTTP/1.1 200 OK\r\n", refused = "HTTP/1.1 403 Forbidden\r\n";
  const Case cases[] = {
      {"an address", {"--net", address}, gets(address), good},
      {"a name and where it leads", {"--net", "localhost", "--net", address}, gets(name), good},
      {"a name alone, which leads to this machine", {"--net", "localhost"}, gets(name), refused},
      {"another port", {"--net", address}, gets("127.0.0.1:1"), refused},
      {"a request that is granted", {"--net-rule", address + " GET /"}, gets(address), good},
      {"one that is not", {"--net-rule", address + " POST /"}, gets(address), refused},
      {"within its budget", {"--net", address, "--net-budget", "1M"}, gets(address), good},
      {"weaker mechanisms that are not needed", {"--accept", "memory=rlimit", "--accept", "pids=rlimit"}, {"--", "echo", "ran"}, "ran\n"},
      {"both", {"--net", address, "--accept", "memory=rlimit"}, gets(address), good},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    std::string evidence[2];
    for (const bool elsewhere : {false, true}) {
      SCOPED_TRACE(elsewhere ? "there" : "here");
      const std::vector<std::string> where = elsewhere ? std::vector<std::string>{"--plane", "lab"} : std::vector<std::string>();
      const auto with = [&](std::vector<std::string> words, const std::vector<std::string>& more = {}) {
        words.insert(words.end(), where.begin(), where.end());
        words.insert(words.end(), more.begin(), more.end());
        return words;
      };
      std::vector<std::string> words = with({"run", "-q"}, c.words);
      words.insert(words.end(), c.job.begin(), c.job.end());
      const Ended ended = machine.Run(words);
      EXPECT_EQ(ended.status, 0) << ended.err << fleet.Log();
      EXPECT_EQ(ended.out, c.says) << ended.err;
      const canon::Json runs = machine.Json(with({"list", "--json", "-n", "1"}));
      const auto bundle = canon::Parse(machine.Run(with({"bundle", Member(runs.Find("runs")->array().front(), "runId")})).out, canon::Mode::kStrict);
      ASSERT_TRUE(bundle);
      const canon::Json &contract = *bundle->Find("contract")->Find("writ"), &receipt = *bundle->Find("receipt")->Find("writ");
      for (const char* member : {"egress", "accept"}) evidence[elsewhere] += Member(contract, member) + "\n";
      for (const char* member : {"enforced", "network"}) evidence[elsewhere] += Member(receipt, member) + "\n";
      const std::string_view mark = "run-authority sha256:";  // each run has an authority of its own
      if (const auto at = evidence[elsewhere].find(mark); at != std::string::npos) evidence[elsewhere].erase(at + mark.size(), 64);
    }
    EXPECT_EQ(evidence[1], evidence[0]);
  }
}

TEST(PlaneParity, SecretsAreReleasedByNameAndShownNowhere) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const std::string value = fleet.machine.Write("value", "s3cr3t-value-of-the-test");
  for (const std::string& state : {fleet.machine.File("state"), fleet.machine.File("plane")}) {
    const Ended set = fleet.machine.Run({"secret", "set", "TOK", "--from", "file:" + value}, {.env = {{"WRIT_STATE", state}}});
    ASSERT_EQ(set.status, 0) << set.err;
  }
  const std::vector<std::string> job = {"--secret", "TOK=OTHER", "--output", "leak", "--out-dir"};
  std::string left[2];
  Ended ended[2];
  for (const bool elsewhere : {false, true}) {
    std::vector<std::string> words = {"run", "-q"};
    if (elsewhere) words.insert(words.end(), {"--plane", "lab"});
    words.insert(words.end(), job.begin(), job.end());
    const std::string out_dir = fleet.machine.File(elsewhere ? "there" : "here");
    words.insert(words.end(), {out_dir, "--", "sh", "-c", "echo $TOK $OTHER ${#TOK}; echo $OTHER > /out/leak"});
    ended[elsewhere] = fleet.machine.Run(words);
    left[elsewhere] = Listed(out_dir);
  }
  EXPECT_EQ(ended[0].status, 0) << ended[0].err;
  EXPECT_EQ(ended[1].status, 0) << ended[1].err << fleet.Log();
  EXPECT_EQ(ended[1].out, ended[0].out);
  EXPECT_EQ(left[1], left[0]);
  EXPECT_THAT(ended[1].out, HasSubstr("24"));
  EXPECT_THAT(ended[1].out + left[1] + fleet.Log(), testing::Not(HasSubstr("s3cr3t-value")));
}

TEST(PlaneParity, ResultsCanBeFetchedLaterUnderAShortName) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  const canon::Json run = fleet.machine.Json({"run", "--json", "--plane", "lab", "--output", "report", "--output", "more", "--", "sh", "-c", "echo r > /out/report; echo m > /out/more"});
  const std::string id = Member(run, "runId"), brief = id.substr(4, 8);
  const Ended got = fleet.machine.Run({"get", "--plane", "lab", brief, "report", "-o", fleet.machine.File("got")});
  EXPECT_EQ(got.status, 0) << got.err << fleet.Log();
  EXPECT_EQ(Listed(fleet.machine.File("got")), "report 644 r\n");
  EXPECT_EQ(fleet.machine.Run({"get", "--plane", "lab", id, "-o", fleet.machine.File("all")}).status, 0);
  EXPECT_EQ(Listed(fleet.machine.File("all")), "more 644 m\n\nreport 644 r\n");
  EXPECT_EQ(fleet.machine.Run({"get", "--plane", "lab", brief, "absent"}).status, 1);
  for (const char* command : {"show", "verify", "wait", "logs", "bundle"}) {
    const Ended ended = fleet.machine.Run({command, "--plane", "lab", brief});
    EXPECT_EQ(ended.status, 0) << command << ": " << ended.err;
  }
  EXPECT_THAT(fleet.machine.Run({"show", "--plane", "lab", "zzzz"}).err, HasSubstr("there is no run zzzz"));
  ASSERT_EQ(fleet.machine.Run({"run", "-q", "--plane", "lab", "--", "true"}).status, 0);
  EXPECT_THAT(fleet.machine.Run({"show", "--plane", "lab", "run_"}).err, HasSubstr("give more of the id"));
}

TEST(PlaneParity, WhatAPlaneCannotDoIsSaidWithWhatToDoInstead) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet;
  ASSERT_TRUE(sys::MakeDirectories(fleet.machine.File("plain"), 0755));
  struct Case {
    std::vector<std::string> words;
    const char* says;
  };
  const Case cases[] = {
      {{"--workspace", fleet.machine.File("plain")}, "--input hands in any directory"},
      {{"-t"}, "a run elsewhere has no terminal"},
      {{"--root", "/"}, "a root file system does not travel"},
      {{"--env", "HOME"}, "use HOME=VALUE"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    std::vector<std::string> words = {"run", "--plane", "lab"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    words.insert(words.end(), {"--", "true"});
    const Ended ended = fleet.machine.Run(words);
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr(c.says));
  }
  const Ended nobody = fleet.machine.Run({"submit", "--plane", fleet.url, "--no-workspace", "true"}, {.env = {{"XDG_CONFIG_HOME", fleet.machine.File("plain")}}});
  EXPECT_EQ(nobody.status, 125);
  EXPECT_THAT(nobody.err, HasSubstr("`writ plane login"));
}

TEST(PlaneParity, ARunThatWaitsForConsentKeepsItsInputs) {
  WRIT_NEEDS_FLEET();
  const Fleet fleet(R"({"when": "any-run", "approvers": ["admin"]})");
  ASSERT_TRUE(sys::MakeDirectories(fleet.machine.File("in"), 0755));
  const std::string file = fleet.machine.Write("in/file", "as it was asked\n");
  const Ended asked = fleet.machine.Run({"run", "--plane", "lab", "--input", fleet.machine.File("in"), "--", "cat", "/in/in/file"});
  ASSERT_EQ(asked.status, 123) << asked.err;
  fleet.machine.Write("in/file", "changed since\n");
  const canon::Json pending = fleet.machine.Json({"pending", "--json", "--plane", "lab"});
  const std::string id = Member(pending.Find("approvals")->array().front(), "runId");
  const Ended approved = fleet.machine.Run({"approve", "--plane", "lab", "--yes", id.substr(0, 12)});
  EXPECT_EQ(approved.status, 0) << approved.err << fleet.Log();
  const Ended waited = fleet.machine.Run({"wait", "--logs", "--plane", "lab", id.substr(0, 12)});
  EXPECT_EQ(waited.status, 0) << waited.err << fleet.Log();
  EXPECT_TRUE(waited.out.starts_with("as it was asked\n")) << waited.out;
}

}  // namespace
}  // namespace writ::cli_test

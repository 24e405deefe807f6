// The commands around a run: what they show, write and answer in JSON.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "harness.h"

namespace writ::cli_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Content(const std::string& path) { return sys::ReadFile(path, 1 << 20).value_or("unreadable"); }

TEST(Commands, ListIsNewestFirstAndIdsMayBeShortened) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  for (const char* word : {"one", "two", "three"}) ASSERT_EQ(machine.Run({"run", "-q", "--", "echo", word}).status, 0);
  const canon::Json list = machine.Json({"list", "--json"});
  const auto& runs = list.Find("runs")->array();
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(Member(runs[0], "command"), "echo three");
  EXPECT_EQ(Member(runs[2], "command"), "echo one");
  EXPECT_EQ(machine.Json({"list", "--json", "-n", "1"}).Find("runs")->array().size(), 1u);
  const std::string id = Member(runs[1], "runId");
  ASSERT_EQ(id.substr(0, 4), "run_");
  for (const auto& name : {id, id.substr(0, 14), id.substr(4), id.substr(4, 10)}) {
    EXPECT_EQ(Member(*machine.Json({"show", "--json", name}).Find("run"), "runId"), id) << name;
  }
  EXPECT_EQ(machine.Run({"logs", id.substr(4, 10)}).out, "two\n");
  EXPECT_EQ(machine.Run({"show", "zzzz"}).status, 1);
  EXPECT_EQ(Member(*machine.Json({"show", "--json", "zzzz"}).Find("error"), "code"), "not_found");
  const Ended ambiguous = machine.Run({"show", "run_"});
  EXPECT_EQ(ambiguous.status, 1);
  EXPECT_THAT(ambiguous.err, Not(HasSubstr("not found")));
}

TEST(Commands, InputsOutputsAndGet) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const std::string data = machine.Write("data.csv", "a,b\n1,2\n");
  const std::string results = machine.File("results");
  const Ended run = machine.Run({"run", "--input", data, "--output", "n.txt", "--out-dir", results, "--", "sh", "-c",
                                 "wc -l < /in/data.csv > /out/n.txt; echo x > /out/extra"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(Content(results + "/n.txt"), "2\n");
  EXPECT_FALSE(std::filesystem::exists(results + "/extra"));
  EXPECT_THAT(run.err, HasSubstr("extra"));
  const std::string id = machine.NewestRun();
  const std::string later = machine.File("later");
  const canon::Json got = machine.Json({"get", "--json", id, "n.txt", "-o", later});
  EXPECT_EQ(Member(got.Find("outputs")->array().at(0), "bytes"), "2");
  EXPECT_EQ(Content(later + "/n.txt"), "2\n");
  EXPECT_EQ(machine.Run({"get", id, "extra", "-o", later}).status, 1);
}

TEST(Commands, DiffAndApply) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  std::filesystem::create_directory(machine.File("ws"));
  machine.Write("ws/old.txt", "one\n");
  machine.Write("ws/gone.txt", "gone\n");
  const Ended run = machine.Run({"run", "--workspace", machine.File("ws"), "--", "sh", "-c", "echo two >> old.txt; rm gone.txt; echo new > new.txt"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(Content(machine.File("ws/old.txt")), "one\n") << "nothing is applied unasked";
  const std::string id = machine.NewestRun();
  const Ended diff = machine.Run({"diff", id});
  EXPECT_THAT(diff.out, HasSubstr("+two"));
  EXPECT_THAT(diff.out, HasSubstr("deleted file"));
  EXPECT_EQ(Member(*machine.Json({"diff", "--json", id}).Find("diff"), "data"), diff.out);
  EXPECT_THAT(machine.Run({"apply", "--dry-run", id}).out, HasSubstr("new.txt"));
  EXPECT_FALSE(std::filesystem::exists(machine.File("ws/new.txt")));

  machine.Write("ws/old.txt", "mine\n");
  const Ended conflict = machine.Run({"apply", id});
  EXPECT_EQ(conflict.status, 1);
  EXPECT_THAT(conflict.out, HasSubstr("old.txt"));
  EXPECT_FALSE(std::filesystem::exists(machine.File("ws/new.txt"))) << "a conflict changes nothing";
  EXPECT_EQ(Content(machine.File("ws/old.txt")), "mine\n");

  machine.Write("ws/old.txt", "one\n");
  const Ended applied = machine.Run({"apply", id});
  EXPECT_EQ(applied.status, 0) << applied.err;
  EXPECT_EQ(Content(machine.File("ws/old.txt")), "one\ntwo\n");
  EXPECT_EQ(Content(machine.File("ws/new.txt")), "new\n");
  EXPECT_FALSE(std::filesystem::exists(machine.File("ws/gone.txt")));
}

TEST(Commands, BundleVerifiesOfflineAndForgeriesDoNot) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  ASSERT_EQ(machine.Run({"run", "-q", "--", "echo", "hello"}).status, 0);
  const std::string id = machine.NewestRun(), file = machine.File("bundle.json"), pem = machine.File("plane.pem");
  ASSERT_EQ(machine.Run({"bundle", id, "-o", file}).status, 0);
  EXPECT_EQ(machine.Run({"bundle", id, "-o", file}).status, 1) << "evidence is not overwritten";
  EXPECT_EQ(machine.Run({"bundle", id}).out, Content(file));
  machine.Write("plane.pem", machine.Run({"keys", "--pem"}).out);
  const Ended unpinned = machine.Run({"verify", file});
  EXPECT_EQ(unpinned.status, 0);
  EXPECT_THAT(unpinned.out, ::testing::StartsWith("consistent, keys not pinned"));
  EXPECT_EQ(Member(machine.Json({"verify", "--json", file}), "pinned"), "false");
  EXPECT_EQ(Member(machine.Json({"verify", "--json", file, "--pin", pem}), "pinned"), "true");
  EXPECT_EQ(machine.Start({"--pin", pem, file}, {}, "writ-verify").Wait().status, 0);

  std::string forged = Content(file);
  const auto at = forged.find("hello");
  ASSERT_NE(at, std::string::npos);
  forged[at] = 'j';
  const std::string forged_file = machine.Write("forged.json", forged);
  const Ended bad = machine.Run({"verify", forged_file, "--pin", pem});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.out, ::testing::StartsWith("NOT VALID"));
  EXPECT_EQ(machine.Run({"verify", forged_file, "--pin", machine.File("none")}).status, 2);
  EXPECT_EQ(machine.Run({"verify", machine.File("none.json")}).status, 2);
  EXPECT_EQ(machine.Run({"verify", machine.Write("broken.json", "{")}).status, 2);
  const Ended own = machine.Run({"verify", id});
  EXPECT_EQ(own.status, 0);
  EXPECT_THAT(own.out, ::testing::StartsWith("VERIFIED"));
}

TEST(Commands, ShowAnswersTheFiveQuestions) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  ASSERT_EQ(machine.Run({"run", "-q", "--env", "MODE=fast", "--", "sh", "-c", "echo out; echo x > f"}).status, 0);
  const std::string id = machine.NewestRun();
  const Ended show = machine.Run({"show", id});
  EXPECT_EQ(show.status, 0) << show.err;
  for (const char* text : {"sh -c", "f", "MODE"}) EXPECT_THAT(show.out, HasSubstr(text));
  const canon::Json json = machine.Json({"show", "--json", id});
  EXPECT_EQ(Member(*json.Find("contract"), "version"), "warrant.contract.v1");
  EXPECT_EQ(Member(*json.Find("receipt"), "status"), "completed");
}

TEST(Commands, TheIdentityThatPolicyJudgedIsInTheEvidence) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const std::string policy = machine.Write("policy.yaml",
                                           "version: 1\nname: two\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\n"
                                           "tiers: {allow: [process]}\nidentities: [{id: nightly, tools: [\"true\"]}]\n");
  ASSERT_EQ(machine.Run({"run", "-q", "--policy", policy, "--as", "nightly", "--", "true"}).status, 0);
  EXPECT_EQ(machine.Run({"run", "-q", "--policy", policy, "--as", "daily", "--", "true"}).status, 122);
  const std::string id = machine.NewestRun();
  EXPECT_EQ(Member(*machine.Json({"show", "--json", id}).Find("contract")->Find("writ"), "identity"), "nightly");
  EXPECT_THAT(machine.Run({"show", id}).out, HasSubstr("nightly"));
  EXPECT_THAT(machine.Run({"verify", id}).out, HasSubstr("asked, as nightly"));
  ASSERT_EQ(machine.Run({"run", "-q", "--", "true"}).status, 0);
  EXPECT_EQ(machine.Json({"show", "--json", machine.NewestRun()}).Find("contract")->Find("writ")->Find("identity"), nullptr);
}

TEST(Commands, LogsOfARunningRun) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  // The job goes on when its standard input ends, which is when the test has seen its beginning.
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::UniqueFd read_end(ends[0]);
  sys::UniqueFd write_end(ends[1]);
  Process run = machine.Start({"run", "-q", "-i", "--", "sh", "-c", "echo one; cat; echo two >&2"}, {.stdin_fd = read_end.get()});
  ASSERT_TRUE(run.WaitForOutput("one"));
  const std::string id = machine.NewestRun();
  Process follow = machine.Start({"logs", "-f", id});
  ASSERT_TRUE(follow.WaitForOutput("one"));
  EXPECT_EQ(machine.Run({"logs", id}).out, "one\n");
  EXPECT_EQ(machine.Run({"logs", "--stderr", id}).out, "");
  EXPECT_EQ(Member(machine.Json({"logs", "--json", id}), "running"), "true");
  EXPECT_EQ(machine.Run({"diff", id}).status, 1);
  write_end.Reset();
  EXPECT_EQ(run.Wait().status, 0);
  const Ended followed = follow.Wait();
  EXPECT_EQ(followed.status, 0) << followed.err;
  EXPECT_EQ(followed.out, "one\ntwo\n");
  EXPECT_EQ(Member(machine.Json({"logs", "--json", "-f", id}), "running"), "");
}

TEST(Commands, CanonAndHash) {
  const Machine machine;
  const std::string file = machine.Write("x.json", "{\"b\": 1.0, \"a\": [true, null]}");
  EXPECT_EQ(machine.Run({"canon", file}).out, "{\"a\":[true,null],\"b\":1}");
  const std::string hash = machine.Run({"hash", file}).out;
  EXPECT_EQ(hash.size(), 65u);
  EXPECT_EQ(Member(machine.Json({"hash", "--json", file}), "hash") + "\n", hash);
  EXPECT_EQ(machine.Run({"canon", machine.Write("bad.json", "{\"a\":}")}).status, 1);
  const sys::UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(machine.Run({"canon", "-"}, {.stdin_fd = in.get()}).out, "{\"a\":[true,null],\"b\":1}");
}

TEST(Commands, DryRunStoresNothing) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended dry = machine.Run({"run", "--dry-run", "--env", "A=b", "--", "echo", "hi"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  for (const char* text : {"Decision: allow", "local-default", "echo hi", "/work", "network", "warrant.contract.v1"}) EXPECT_THAT(dry.out, HasSubstr(text));
  EXPECT_FALSE(std::filesystem::exists(machine.state()));
  const canon::Json json = machine.Json({"run", "--dry-run", "--json", "--", "echo", "hi"});
  EXPECT_EQ(Member(json, "dryRun"), "true");
  EXPECT_EQ(Member(json, "exitCode"), "0");
  EXPECT_FALSE(std::filesystem::exists(machine.state()));
}

TEST(Commands, RunAnswersInJson) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const canon::Json json = machine.Json({"run", "--json", "--", "sh", "-c", "echo out; printf '\\377' >&2; exit 3"});
  EXPECT_EQ(Member(json, "exitCode"), "3");
  EXPECT_EQ(Member(json, "status"), "failed");
  EXPECT_EQ(Member(*json.Find("stdout"), "data"), "out\n");
  EXPECT_EQ(Member(*json.Find("stderr"), "encoding"), "base64");
  EXPECT_EQ(Member(*json.Find("termination"), "how"), "exited");
  EXPECT_EQ(Member(json, "receiptHash").size(), 64u);
}

TEST(Commands, EveryCommandHelpsAndAnswersInJson) {
  const Machine machine;
  for (const char* command : {"run", "learn", "explain", "net", "ps", "list", "show", "get", "decisions", "logs", "diff", "apply", "bundle", "verify", "kill", "keys", "gc",
                              "doctor", "canon", "hash", "version", "help"}) {
    const Ended help = machine.Run({"help", command});
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_EQ(help.out, machine.Run({command, "--help"}).out);
    EXPECT_THAT(help.out, HasSubstr("--json"));
  }
  EXPECT_EQ(machine.Run({"help", "policy"}).status, 0);
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"list", "--json"}, {"ps", "--json"}, {"keys", "--json"}, {"decisions", "--json"},
                                                                     {"gc", "--json"}, {"doctor", "--json"}, {"version", "--json"}, {"policy", "show", "--json"}}) {
    EXPECT_TRUE(machine.Json(arguments).is_object()) << arguments[0];
  }
}

TEST(Commands, GcKeepsTheNewest) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(machine.Run({"run", "-q", "--", "echo", fmt::format("{}", i)}).status, 0);
  EXPECT_EQ(machine.Json({"gc", "--json", "--dry-run", "--older-than", "1ms", "--keep", "1"}).Find("runs")->array().size(), 2u);
  EXPECT_EQ(machine.Json({"list", "--json"}).Find("runs")->array().size(), 3u);
  EXPECT_EQ(machine.Run({"gc", "--older-than", "1ms", "--keep", "1"}).status, 0);
  const canon::Json list = machine.Json({"list", "--json"});
  ASSERT_EQ(list.Find("runs")->array().size(), 1u);
  EXPECT_EQ(Member(list.Find("runs")->array()[0], "command"), "echo 2");
  EXPECT_EQ(machine.Run({"logs", machine.NewestRun()}).out, "2\n");
}

}  // namespace
}  // namespace writ::cli_test

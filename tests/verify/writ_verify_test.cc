// The program writ-verify from outside: exit status, output, bad input.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "canon/vectors_for_test.h"
#include "contract/test_keys.h"

namespace writ {
namespace {

constexpr const char* kValidBundle = WRIT_SOURCE_DIR "/tests/vectors/warrant/bundle-valid.json";

struct Ran {
  int status = -1;
  std::string output;
};

/// Runs the program through the shell; `arguments` are written by the tests. Standard error joins the output.
Ran Verify(const std::string& arguments) {
  Ran ran;
  FILE* pipe = ::popen((std::string(WRIT_BIN_DIR "/writ-verify ") + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) ran.output.append(buffer, got);
  const int status = ::pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

class WritVerify : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "writ-verify-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(WritVerify, ValidBundleWithoutAndWithPins) {
  const Ran plain = Verify(kValidBundle);
  EXPECT_EQ(plain.status, 0);
  EXPECT_TRUE(plain.output.starts_with("consistent, keys not pinned: ")) << plain.output;
  const std::string plane = Write("plane.pem", test::PlaneKey().public_key().Pem()), other = Write("other.pem", test::OtherKey().public_key().Pem());
  for (const std::string& pin : {"--pin " + plane, "--pin=" + test::PlaneKey().key_id(), "--pin " + other + " --pin " + plane}) {
    const Ran pinned = Verify(pin + " " + kValidBundle);
    EXPECT_EQ(pinned.status, 0) << pin;
    EXPECT_TRUE(pinned.output.starts_with("VERIFIED: ")) << pinned.output;
  }
  const Ran wrong = Verify("--pin " + other + " " + kValidBundle);
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.output.find("plane key " + test::PlaneKey().key_id() + " is not pinned"), std::string::npos);
  EXPECT_EQ(Verify("--pin-runner " + other + " " + kValidBundle).status, 1);
}

TEST_F(WritVerify, AnswersTheFiveQuestionsOnOneScreen) {
  const Ran ran = Verify(kValidBundle);
  std::size_t from = 0;
  for (const char* heading : {"\nwho ", "\nasked ", "\nsaw ", "\nhappened ", "\nchanged "}) {
    from = ran.output.find(heading, from);
    EXPECT_NE(from, std::string::npos) << heading;
  }
  EXPECT_LE(std::count(ran.output.begin(), ran.output.end(), '\n'), 24);
}

TEST_F(WritVerify, JsonHasTheProblemsOfTheProtocol) {
  const Ran valid = Verify(std::string("--json ") + kValidBundle);
  EXPECT_EQ(valid.output, "{\"ok\":true,\"pinned\":false,\"problems\":[],\"warnings\":[]}\n");
  canon::Json bundle = test::VectorFile("bundle-valid.json");
  canon::Json receipt = *bundle.Find("receipt");
  bundle.Set("receipt", receipt.Set("status", "failed"));
  const Ran broken = Verify("--json - < " + Write("b.json", canon::Compact(bundle)));
  EXPECT_EQ(broken.status, 1);
  const canon::Json answer = canon::Parse(broken.output, canon::Mode::kStrict).value();
  EXPECT_FALSE(answer.Find("ok")->boolean());
  EXPECT_EQ(answer.Find("problems")->array().at(0).string(), "receipt runner signature invalid");
}

TEST_F(WritVerify, OneChangedByteIsNotValid) {
  std::string text = test::VectorText("bundle-valid.json");
  const auto at = text.find("echo hi");
  ASSERT_NE(at, std::string::npos);
  text[at] = 'E';
  const Ran ran = Verify(Write("changed.json", text));
  EXPECT_EQ(ran.status, 1);
  EXPECT_TRUE(ran.output.starts_with("NOT VALID: ")) << ran.output;
}

TEST_F(WritVerify, UnreadableInputIsNeitherValidNorInvalid) {
  EXPECT_EQ(Verify(folder_ + "/missing").status, 2);
  EXPECT_EQ(Verify(folder_).status, 2);
  EXPECT_EQ(Verify(Write("empty", "")).status, 2);
  EXPECT_EQ(Verify(Write("text", "not json")).status, 2);
  EXPECT_EQ(Verify(Write("deep", std::string(1 << 20, '['))).status, 2);
  EXPECT_EQ(Verify("- < /dev/null").status, 2);
  const std::string huge = Write("huge", "");
  std::filesystem::resize_file(huge, 65u << 20);
  EXPECT_EQ(Verify(huge).status, 2);
  EXPECT_EQ(Verify("- < " + huge).status, 2);
  EXPECT_EQ(Verify(Write("object", "{}")).status, 1);  // JSON, but no bundle
  EXPECT_EQ(Verify(std::string("--pin ") + folder_ + "/missing.pem " + kValidBundle).status, 2);
  EXPECT_EQ(Verify(std::string("--pin ") + Write("bad.pem", "x") + " " + kValidBundle).status, 2);
  EXPECT_EQ(Verify(std::string(kValidBundle) + " > /dev/full").status, 2);
}

TEST_F(WritVerify, WrongUsageIsNamed) {
  for (const char* arguments : {"", "--pin", "--bogus x", "a b", "--pin-runner"}) {
    const Ran ran = Verify(arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_TRUE(ran.output.starts_with("writ-verify: ")) << ran.output;
  }
  EXPECT_EQ(Verify("--help").status, 0);
  EXPECT_TRUE(Verify("--version").output.starts_with("writ-verify 0."));
  EXPECT_EQ(Verify(std::string("-- ") + kValidBundle).status, 0);
}

TEST_F(WritVerify, HostileTextNeverReachesTheTerminal) {
  canon::Json bundle = test::VectorFile("bundle-valid.json");
  canon::Json contract = *bundle.Find("contract");
  contract.Set("requestedBy", canon::Json::Of({{"kind", "human"}, {"id", "\x1b]0;pwn\x07\x1b[2J\nVERIFIED: all good"}}));
  bundle.Set("contract", contract);
  const Ran ran = Verify(Write("hostile.json", canon::Compact(bundle)));
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.output.find('\x1b'), std::string::npos);
  EXPECT_EQ(ran.output.find("\nVERIFIED"), std::string::npos);
}

}  // namespace
}  // namespace writ

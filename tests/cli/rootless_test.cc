// The same programs for a user without any privilege. On a host whose control groups are out of reach a run is refused,
// and what the message says to accept is enough.
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "harness.h"

namespace writ::cli_test {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kSomebody = 65534;

void BecomeSomebody() {
  if (::setgroups(0, nullptr) != 0 || ::setgid(kSomebody) != 0 || ::setuid(kSomebody) != 0) ::_exit(93);
}

/// A machine whose home and state belong to a user without privilege.
class Rootless : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
    ASSERT_EQ(::chmod(machine_.File("").c_str(), 0755), 0);
    ASSERT_TRUE(std::filesystem::create_directory(machine_.File("home")));
    ASSERT_EQ(::chown(machine_.File("home").c_str(), kSomebody, kSomebody), 0);
    options_.env = {{"HOME", machine_.File("home")}, {"WRIT_STATE", machine_.File("home/state")}};
    options_.directory = machine_.File("home");
    options_.in_child = BecomeSomebody;
    if (Run({"version"}).status == 92) GTEST_SKIP() << "the build directory is not readable to others";
  }
  Ended Run(const std::vector<std::string>& arguments) const { return machine_.Run(arguments, options_); }

  Machine machine_;
  StartOptions options_;
};

/// The `--accept` words that a refusal ends with.
std::vector<std::string> AcceptWords(const std::string& message) {
  std::vector<std::string> words;
  const auto at = message.find("--accept ");
  if (at == std::string::npos) return words;
  std::istringstream rest(message.substr(at));
  for (std::string word; rest >> word;) words.push_back(word);
  return words;
}

TEST_F(Rootless, Attack47_RefusalNamesExactlyWhatToAccept) {
  const Ended first = Run({"run", "--", "id"});
  std::vector<std::string> run{"run"};
  if (first.status != 0) {
    ASSERT_EQ(first.status, 125) << first.err;
    const auto accept = AcceptWords(first.err);
    if (accept.empty()) GTEST_SKIP() << "no cell can be made for this user: " << first.err;
    EXPECT_THAT(Run({"list"}).out, ::testing::Not(HasSubstr(" id"))) << "nothing was started";
    run.insert(run.end(), accept.begin(), accept.end());
  }
  run.insert(run.end(), {"--", "sh", "-c", "id -u; echo out > /work/f"});
  const Ended second = Run(run);
  EXPECT_EQ(second.status, 0) << second.err;
  const Ended list = Run({"list", "--json", "-n", "1"});
  const auto parsed = canon::Parse(list.out, canon::Mode::kStrict);
  ASSERT_TRUE(parsed.has_value()) << list.err;
  EXPECT_EQ(Run({"verify", Member(parsed->Find("runs")->array().at(0), "runId")}).status, 0);
}

TEST_F(Rootless, StateOfSomebodyElseIsRefused) {
  ASSERT_EQ(machine_.Run({"keys"}).status, 0);
  options_.env["WRIT_STATE"] = machine_.state();
  const Ended ended = Run({"list"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("state"));
}

}  // namespace
}  // namespace writ::cli_test

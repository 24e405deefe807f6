#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>

#include "contract/extension.h"
#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

class Package : public RunnerTest {
 protected:
  /// Runs a command line; on failure the test shows what it said.
  void Do(const std::string& command) {
    const std::string log = temporary_.path() + "/log";
    const int status = std::system((command + " >" + log + " 2>&1").c_str());
    const auto said = sys::ReadFile(log, 1 << 20);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << (said ? *said : "");
  }
};

TEST_F(Package, TheExampleWithABackendOfItsOwnBuildsAgainstTheInstalledLibraryAndRuns) {
  const std::string prefix = temporary_.path() + "/prefix", build = temporary_.path() + "/build";
  Do(WRIT_CMAKE " --install " WRIT_BUILD_DIR " --component library --prefix " + prefix);
  if (HasFatalFailure()) return;
  Do(WRIT_CMAKE " -S " WRIT_SOURCE_DIR "/examples/embedded_runner -B " + build + " -DCMAKE_CXX_COMPILER=" WRIT_CXX
     " -DCMAKE_PREFIX_PATH=" + prefix);
  Do(WRIT_CMAKE " --build " + build);
  if (HasFatalFailure()) return;
  ASSERT_TRUE(sys::WriteFileAtomic(temporary_.path() + "/token", std::string_view("enroll-me\n"), 0600));

  contract::ContractExtension writ;
  writ.decision = std::string(64, 'd');
  writ.nonce = contract::MakeNonce();
  const std::string id = plane_->AddRun({.execution = canon::Json::Of({{"kind", "argv"}, {"command", "hello"}, {"args", canon::Json::Array{"world"}}}),
                                         .writ = contract::ToJson(writ)});
  Do(build + "/embedded_runner " + plane_->url() + " " + temporary_.path() + "/token " + temporary_.path() + "/embedded");
  EXPECT_EQ(plane_->Get(id).status, "completed") << FailureOf(id).message;
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  EXPECT_EQ(LogOf(id), "hello world\n");
  const auto receipt = plane_->Get(id).receipt;
  ASSERT_FALSE(receipt.is_null());
  const auto* enforced = receipt.Find("writ")->Find("enforced");
  EXPECT_EQ(*enforced->FindString("everything"), "nothing-is-executed");
}

}  // namespace
}  // namespace writ::runner

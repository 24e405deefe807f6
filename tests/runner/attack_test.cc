// Jobs that attack the runner and the plane of their own machine, in real cells.
#include <gmock/gmock.h>

#include "served_plane.h"

namespace writ {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::Not;

class RunnerAttack : public RunnerE2e {
 protected:
  /// What a job says that runs this script.
  std::string Says(const std::string& script) {
    const std::string id = plane_->AddRun(Draft(Json::Of({{"kind", "shell"}, {"script", script}})));
    RunOnce();
    EXPECT_EQ(plane_->Problems(id, RunnerPem()), std::vector<std::string>());
    return LogOf(id);
  }
};

TEST_F(RunnerAttack, Attack18_AJobReachesNeitherItsRunnerNorThePlane) {
  Serve();
  ASSERT_TRUE(runner().EnsureEnrolled());
  const std::string plane = temporary_.path() + "/plane", identity = temporary_.path() + "/runner";
  const std::string said = Says(
      "for d in " + temporary_.path() + " " + plane + " " + identity + " /proc/1/root" + plane + " /proc/1/cwd /proc/self/cwd/../../" + plane + "; do "
      "ls -A \"$d/plane\" \"$d/runner\" \"$d/keys\" \"$d/store.db\" 2>/dev/null && echo \"REACHED $d\"; "
      "mkdir -p \"$d/runner/planted\" 2>/dev/null; done; "
      "find / -xdev \\( -name 'identity*' -o -name 'plane.key*' -o -name 'runner.pub.pem' \\) 2>/dev/null | sed 's/^/FOUND /'; echo looked");
  EXPECT_THAT(said, HasSubstr("looked"));
  EXPECT_THAT(said, Not(HasSubstr("REACHED")));
  EXPECT_THAT(said, Not(HasSubstr("FOUND")));
  EXPECT_FALSE(sys::OpenDirectory(temporary_.path() + "/runner/planted"));
  EXPECT_FALSE(sys::OpenDirectory(plane + "/runner/planted"));
}

TEST_F(RunnerAttack, Attack42_AJobSeesNoTokenOfItsRunner) {
  env_["WARRANT_ENROLL_TOKEN"] = "enroll-token-of-the-operator";
  env_["WRIT_MASTER_KEY"] = "master-of-the-operator";
  Serve({{"TOK", "value-of-the-secret"}});
  const std::string said = Says("env; tr '\\0' '\\n' < /proc/1/environ; tr '\\0' ' ' < /proc/1/cmdline; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; echo looked");
  EXPECT_THAT(said, HasSubstr("looked"));
  for (const char* hidden : {"of-the-operator", "value-of-the-secret", "enr\n", "rnt_"}) EXPECT_THAT(said, Not(HasSubstr(hidden))) << hidden;
}

}  // namespace
}  // namespace writ

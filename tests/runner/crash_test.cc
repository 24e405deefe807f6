// The runner's process is killed at every labelled point of a run, as kill -9 would; then another one takes over its
// directory. Whatever the point, the run gets a receipt that verifies, or nothing of it was ever acted on.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/carry.h"
#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

namespace fake = isolation::fake;
using isolation::Stream;

class RunnerCrash : public RunnerTest, public testing::WithParamInterface<std::string_view> {
 protected:
  /// A child process that runs one run and kills itself at the label.
  void RunUntil(std::string_view label) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      fault_ = [label](std::string_view here) {
        if (here == label) ::kill(::getpid(), SIGKILL);
      };
      auto runner = Runner::Create(MakeOptions());
      if (!runner) ::_exit(2);
      static_cast<void>((*runner)->RunOnce());
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the label was not reached";
  }
};

TEST_P(RunnerCrash, AtEveryPointTheRunEndsWithAReceiptOrWasNeverBegun) {
  script_.steps = {fake::Print{Stream::kStdout, "hi\n"}};
  plane_->artifact_bytes = 256 << 10;  // the log comes with the receipt
  const std::string id = plane_->AddRun({});
  RunUntil(GetParam());
  {
    auto runner = Make();
    ASSERT_TRUE(runner->EnsureEnrolled());
  }
  const auto run = plane_->Get(id);
  if (GetParam() == fault::kClaimed) {  // nothing was written: the plane's lease tells it, not the runner
    EXPECT_TRUE(run.receipt.is_null());
    EXPECT_EQ(run.event_posts, 0);
    return;
  }
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  const bool done = GetParam() == fault::kEndWritten || GetParam() == fault::kSigned || GetParam() == fault::kCompleted;
  EXPECT_EQ(run.status, done ? "completed" : "failed");
  EXPECT_EQ(LogOf(id), done ? "hi\n" : "") << "what the receipt names is at the plane";
  if (!done) {
    EXPECT_EQ(FailureOf(id).failure, "session_failed");
    EXPECT_THAT(FailureOf(id).message, testing::StartsWith("interrupted: "));
  }
  // A second restart finds nothing left to do.
  auto runner = Make();
  ASSERT_TRUE(runner->EnsureEnrolled());
  EXPECT_EQ(plane_->Get(id).event_posts, run.event_posts);
  EXPECT_EQ(RunOnce(*runner), "(none)");
}

std::vector<std::string_view> Labels() {
  std::vector<std::string_view> labels(std::begin(fault::kAll), std::end(fault::kAll));
  for (const auto label : {session::fault::kStarted, session::fault::kGuestEnded, session::fault::kEndRecorded, session::fault::kCollected})
    labels.push_back(label);
  return labels;
}
std::string NameOf(const testing::TestParamInfo<std::string_view>& info) {
  std::string name(info.param);
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, RunnerCrash, testing::ValuesIn(Labels()), NameOf);

}  // namespace
}  // namespace writ::runner

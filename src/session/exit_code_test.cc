#include "session/exit_code.h"

#include <gtest/gtest.h>

namespace writ::session {
namespace {

using isolation::Outcome;
using isolation::Termination;

Outcome End(Termination how, int code = 0) { return {.how = how, .code = code, .message = {}, .use = {}}; }

TEST(ExitCode, TableOfTheDesign) {
  struct Case {
    Outcome outcome;
    CancelledBy by;
    int wire, shell;
  };
  const Case cases[] = {
      {End(Termination::kExited, 0), CancelledBy::kNobody, 0, 0},
      {End(Termination::kExited, 255), CancelledBy::kNobody, 255, 255},
      {End(Termination::kSignal, 9), CancelledBy::kNobody, 1, 137},
      {End(Termination::kSignal, 11), CancelledBy::kNobody, 1, 139},
      {End(Termination::kTimeLimit), CancelledBy::kNobody, 1, 124},
      {End(Termination::kCpuLimit), CancelledBy::kNobody, 1, 124},
      {End(Termination::kMemoryLimit), CancelledBy::kNobody, 1, 137},
      {End(Termination::kOutputLimit), CancelledBy::kNobody, 1, 137},
      {End(Termination::kCancelled), CancelledBy::kCaller, 1, 130},
      {End(Termination::kCancelled), CancelledBy::kKillRequest, 1, 137},
      {End(Termination::kNotStarted, 126), CancelledBy::kNobody, 127, 126},
      {End(Termination::kNotStarted, 127), CancelledBy::kNobody, 127, 127},
      {End(Termination::kNotStarted), CancelledBy::kNobody, 127, 125},
      {End(Termination::kInterrupted), CancelledBy::kNobody, 1, 125},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(isolation::TerminationName(c.outcome.how));
    EXPECT_EQ(WireExitCode(c.outcome), c.wire);
    EXPECT_EQ(ShellExitCode(c.outcome, c.by), c.shell);
  }
}

}  // namespace
}  // namespace writ::session

// A plane that is killed at every labelled point: the next one on the same state finds the old state or the new one,
// never a mix, and the runner can go on.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "api/plane/runner_for_test.h"
#include "contract/bundle.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::ElementsAre;
using testing::HasSubstr;

/// The step of a run's life in which the plane is killed.
enum class Step : std::uint8_t { kQueue, kClaim, kEvents, kComplete };

struct Kill {
  Step step;
  std::string_view label;
};

constexpr Kill kKills[] = {{Step::kQueue, plane::fault::kContractStored},
                           {Step::kQueue, plane::fault::kStored},
                           {Step::kClaim, plane::fault::kClaimed},
                           {Step::kClaim, plane::fault::kStored},
                           {Step::kEvents, plane::fault::kEventsAppended},
                           {Step::kEvents, plane::fault::kStored},
                           {Step::kComplete, plane::fault::kReceiptChecked},
                           {Step::kComplete, plane::fault::kCountersigned},
                           {Step::kComplete, plane::fault::kStored}};

std::string KillName(const testing::TestParamInfo<Kill>& info) {
  constexpr const char* kSteps[] = {"queue", "claim", "events", "complete"};
  std::string name = fmt::format("{}_{}", kSteps[static_cast<std::size_t>(info.param.step)], info.param.label);
  std::ranges::replace(name, '-', '_');
  return name;
}

class PlaneCrashTest : public ServiceTest, public testing::WithParamInterface<Kill> {
 protected:
  /// What the killed plane's peers had seen.
  struct Seen {
    std::string run_id, runner_token, claim;
  };
  const crypto::PrivateKey runner_key_ = crypto::PrivateKey::Generate();

  static std::string LineFrom(FILE* from) {
    std::string line;
    for (int c = std::fgetc(from); c != EOF && c != '\n'; c = std::fgetc(from)) line += static_cast<char>(c);
    return line;
  }

  /// Lives a run's life in a process of its own until it is killed.
  Seen LiveUntil(const Kill& kill) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      Live(kill, ends[1]);
      ::_exit(1);  // it was to be killed
    }
    ::close(ends[1]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 9) << status;
    FILE* from = ::fdopen(ends[0], "r");
    Seen seen{LineFrom(from), LineFrom(from), LineFrom(from)};
    std::fclose(from);
    return seen;
  }

  void Live(const Kill& kill, int to) {
    std::atomic<bool> armed{false};
    fault_hook_ = [&](std::string_view label) {
      // As kill -9: nothing is flushed, no destructor runs.
      if (armed && label == kill.label) ::_exit(9);
    };
    const auto tell = [&](std::string line) {
      line += '\n';
      if (::write(to, line.data(), line.size()) < 0) ::_exit(2);
    };
    Start();
    const Said enrolled = Post("/v1/runners/enroll", Json::Of({{"enrollToken", kEnroll},
                                                               {"publicKeyPem", runner_key_.public_key().Pem()},
                                                               {"pool", "default"}}));
    const std::string token = *enrolled.body.FindString("runnerToken");
    armed = kill.step == Step::kQueue;
    if (armed) tell(""), tell(token);
    const std::string id = AddRun();
    tell(id), tell(token);
    armed = kill.step == Step::kClaim;
    const Said claim = Post("/v1/claims", ClaimBody(token));
    tell(claim.text);
    auto run = ClaimedByTest::From(claim.body);
    AddAll(run);
    armed = kill.step == Step::kEvents;
    Post(run.Path("events"), run.EventsBody());
    armed = kill.step == Step::kComplete;
    Post(run.Path("complete"), run.CompleteBody(runner_key_));
  }

  static Json ClaimBody(const std::string& token) {
    return Json::Of({{"runnerToken", token}, {"pool", "default"}, {"writ", Json::Of({{"v", 1}})}});
  }
  static void AddAll(ClaimedByTest& run) {
    run.Add(contract::event::WorkspaceMaterialized(*contract::HashCanonical(*run.contract.Find("workspace"))));
    run.Add(contract::event::RunCompleted());
  }
};

TEST_P(PlaneCrashTest, OldOrNewNeverAMix) {
  const Kill kill = GetParam();
  const Seen seen = LiveUntil(kill);
  fault_hook_ = {};
  ASSERT_NO_FATAL_FAILURE(Start());
  const bool stored = kill.label == plane::fault::kStored;

  if (kill.step == Step::kQueue || (kill.step == Step::kClaim && !stored)) {
    // The runner asks (again): it gets the run, unless there is none.
    const Said claim = Post("/v1/claims", ClaimBody(seen.runner_token));
    if (kill.step == Step::kQueue && !stored) {
      EXPECT_EQ(claim.text, R"({"empty":true})");
    } else {
      ASSERT_NE(claim.body.FindString("runId"), nullptr) << claim.text;
      EXPECT_EQ(ClaimedByTest::From(claim.body).facts.chain.count(), 3u);
    }
  } else if (kill.step == Step::kClaim) {
    // Nobody got the answer: the lease begins anew, and the run ends when it does.
    EXPECT_EQ(RowOf(seen.run_id).status, storage::RunStatus::kClaimed);
    clock_->Advance(Millis{31000});
    service_->Tick();
    EXPECT_EQ(RowOf(seen.run_id).status, storage::RunStatus::kFailed);
    EXPECT_THAT(contract::VerifyBundle(Get("/v1/runs/" + seen.run_id + "/bundle").body).problems, ElementsAre());
  } else {
    // The runner got no answer to its last post and posts the same again.
    auto run = ClaimedByTest::From(*canon::Parse(seen.claim, canon::Mode::kWire));
    AddAll(run);
    const Json events = run.EventsBody();
    const bool events_in = kill.step == Step::kComplete || stored;
    const bool ended = kill.step == Step::kComplete && stored;
    EXPECT_EQ(RowOf(run.run_id).event_count, events_in ? 5u : 3u);
    EXPECT_EQ(RowOf(run.run_id).receipt.has_value(), ended);
    EXPECT_EQ(Post(run.Path("events"), events).status, ended ? 409 : 200);
    const Said completed = Post(run.Path("complete"), run.CompleteBody(runner_key_));
    EXPECT_EQ(completed.status, ended ? 409 : 200) << completed.text;
    EXPECT_EQ(RowOf(run.run_id).status, storage::RunStatus::kCompleted);
    EXPECT_THAT(contract::VerifyBundle(Get(run.Path("bundle")).body).problems, ElementsAre());
  }
  const auto decisions = service_->Do([](plane::Core& core, plane::Change&) -> plane::Answer<> {
    WRIT_ANSWER(storage::VerifyDecisions(core.store, core.keys.decision_genesis));
    return {};
  });
  EXPECT_TRUE(decisions) << decisions.error().error;
}
INSTANTIATE_TEST_SUITE_P(Points, PlaneCrashTest, testing::ValuesIn(kKills), KillName);

}  // namespace
}  // namespace writ::api

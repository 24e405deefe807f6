#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "canon/json.h"
#include "remote/plane_connection.h"
#include "sys/file.h"
#include "sys/unique_fd.h"

namespace writ::fleet_test {

/// One execution of a guest, as it says itself. Times are nanoseconds of the monotonic clock, 0 before they are.
struct Execution {
  std::atomic<std::int64_t> began, last_sign, finished;
};

/// Memory that a test shares with the processes it forks.
struct Shared {
  std::atomic<int> kill_at{0};      ///< the plane dies when it reaches its label that often; 0: it does not
  std::atomic<std::int64_t> plane_skew_ms{0}, runner_skew_ms{0};  ///< of the wall clocks
  std::atomic<std::int64_t> guest_ms{300};  ///< how long a guest that begins now goes on
  std::atomic<int> executions{0};
  Execution execution[16] = {};
};

/// What is wrong with the wire of a runner that is apart.
enum class Wire : std::uint8_t { kWhole, kCut, kNoReplies, kNoRequests };

/// Enters a network and a view of the mounts of this process's own, once; nothing in it leaves the machine. Returns why that cannot be, or "".
std::string WhyNoNetwork();
/// Runs a shell command of the test and says whether it went well.
bool Shell(const std::string& command);
/// Looks until it is so; false when it is not after `patience`.
bool Eventually(const std::function<bool()>& so, Millis patience = Millis{20'000});

/// A `writ serve` and `writ runner`s, each a process of its own (the programs' own main functions, with scripted guests
/// instead of cells). The processes die with the fixture.
class FleetTest : public testing::Test {
 protected:
  static constexpr const char* kAdmin = "admin-token-of-the-fleet";
  static constexpr const char* kPort = "8470";
  static constexpr const char* kPlaneHost = "10.77.0.1";  ///< reached from networks apart
  static constexpr Millis kLease{2000};

  FleetTest();
  ~FleetTest() override;
  void SetUp() override;

  struct Placed {
    std::string host = "127.0.0.1";  ///< where the plane listens
    std::string label = {};          ///< where Shared::kill_at kills it
    std::string after = {};          ///< the label counts from when this one was reached; empty: at once
    std::string consent = "[]";      ///< of its policy
    Millis lease = kLease;
  };
  /// Starts the plane, or starts it again, and waits until it listens. Fails the test when it does not.
  void Serve(const Placed& placed);
  void Serve() { Serve(Placed{}); }
  /// Kills the plane, or waits for the death that Shared::kill_at made; fails the test when it does not die.
  void KillPlane();
  void AwaitPlaneDeath();
  /// Asks the plane to end (SIGTERM) and returns its exit status.
  int StopPlane();

  struct RunnerPlace {
    std::string name = "runner";       ///< and its directory
    std::string url = "";              ///< empty: of the plane
    bool apart = false;                ///< in a network of its own, joined by a wire (Wire)
    std::string directory = "";        ///< empty: below the test's
  };
  pid_t StartRunner(const RunnerPlace& place);
  pid_t StartRunner() { return StartRunner(RunnerPlace{}); }
  void Set(pid_t runner, Wire wire);
  void Kill(pid_t child, int signal);
  int ExitOf(pid_t child);  ///< waits; -1 for a signal

  /// A request for a run; `on_lost` as in `writ.onLost`.
  static canon::Json Request(const std::string& on_lost = "");
  /// Asks until there is an answer, under one idempotency key. Returns the run's id.
  std::string Submit(const canon::Json& request, const std::string& key);
  std::string Submit(const canon::Json& request = Request()) { return Submit(request, "key-" + std::to_string(++keys_)); }
  canon::Json Get(const std::string& path);  ///< null when there is no answer
  Result<canon::Json> Post(const std::string& path, const canon::Json& body, const std::string& key = "");
  std::string StatusOf(const std::string& run);
  bool AwaitStatus(const std::string& run, const std::string& status, Millis patience = Millis{20'000});
  bool AwaitEnd(const std::string& run, Millis patience = Millis{20'000});
  /// What is wrong with the run's bundle: nothing, for honest evidence under this plane's key.
  std::vector<std::string> Problems(const std::string& run);
  canon::Json Receipt(const std::string& run);
  std::string FailureOf(const std::string& run);  ///< "FAILURE: MESSAGE" of its last event; "" for a run that did not fail
  std::size_t CountOf(const std::string& run, const std::string& event_type);
  std::size_t RunCount();

  /// Executions that have begun, and whether two of them overlapped.
  int executions() const { return shared_->executions.load(); }
  bool Overlapped() const;
  /// A small file system of its own; gone with the fixture. Returns its path.
  std::string MakeDisk(const std::string& name, std::size_t mebibytes);
  /// Takes all of its space, or gives it back.
  void Fill(const std::string& disk, bool full);
  std::string Log(const std::string& name) const;  ///< what a process wrote to stderr
  std::string File(const std::string& name) const { return temporary_.path() + "/" + name; }

  sys::TemporaryDirectory temporary_;
  Shared* shared_ = nullptr;
  std::string state_;       ///< of the plane
  std::string url_;
  pid_t plane_ = -1;

 private:
  struct Running {
    pid_t pid = -1;
    int number = 0;          ///< of its wire
    sys::UniqueFd network{};  ///< that it is in, when it is apart
    Wire wire = Wire::kWhole;
  };
  pid_t Spawn(const std::string& name, int stdout_fd, const std::function<int()>& main);
  bool Join(Running& running, int told, int tell);

  std::vector<Running> runners_;
  std::vector<std::string> disks_;
  int keys_ = 0;
};

/// First line of a fixture's SetUp or a test.
#define WRIT_NEEDS_NETWORK() \
  if (const std::string why = ::writ::fleet_test::WhyNoNetwork(); !why.empty()) GTEST_SKIP() << why

}  // namespace writ::fleet_test

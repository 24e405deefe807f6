#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "canon/json.h"
#include "sys/file.h"
#include "sys/unique_fd.h"

namespace writ::cli_test {

/// How a program ended and what it wrote.
struct Ended {
  int status = -1;  ///< exit status, 128+N for signal N
  std::string out, err;
  long rss_max_kb = 0;  ///< of the program itself
};

struct StartOptions {
  std::string directory = {};                ///< working directory; empty: the test's
  std::map<std::string, std::string> env = {};  ///< on top of the fixture's
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;  ///< -1: /dev/null, a pipe, a pipe. Borrowed.
  std::function<void()> in_child = {};       ///< runs in the child before exec; async-signal-safe calls only
};

/// A program that was started. Destruction kills it if it still runs.
class Process {
 public:
  Process(pid_t pid, sys::UniqueFd out, sys::UniqueFd err) : pid_(pid), out_(std::move(out)), err_(std::move(err)) {}
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  int out() const { return out_.get(); }
  /// Reads both pipes to their ends and waits. Kills it when `deadline` passes; `status` is then -1.
  Ended Wait(Deadline deadline = Deadline::After(Millis{60'000}));
  /// Reads stdout until it contains `text`. False when it ends or the deadline passes before.
  bool WaitForOutput(std::string_view text, Deadline deadline = Deadline::After(Millis{20'000}));

 private:
  pid_t pid_;
  sys::UniqueFd out_, err_;
  std::string out_read_;
};

/// The real programs over a state directory of their own.
class Machine {
 public:
  Machine();

  /// `arguments` after the program's name; `program` is one of bin/, or a path.
  Process Start(const std::vector<std::string>& arguments, const StartOptions& options = {}, const std::string& program = "writ") const;
  Ended Run(const std::vector<std::string>& arguments, const StartOptions& options = {}) const { return Start(arguments, options).Wait(); }
  /// The object that a command with --json prints; a failed test and null when it prints anything else.
  canon::Json Json(const std::vector<std::string>& arguments, const StartOptions& options = {}) const;

  std::string state() const { return directory_.path() + "/state"; }
  std::string File(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Write(const std::string& name, std::string_view content, std::uint32_t mode = 0644) const;
  /// Full id of the newest run; a failed test when there is none.
  std::string NewestRun() const;

 private:
  sys::TemporaryDirectory directory_;
};

/// Why no run can start here (no privilege for namespaces, say), or nothing. Tests that run jobs skip with it.
std::string WhyNoRuns();

/// Member of an object as text: a string itself, anything else as compact JSON; "" when absent.
std::string Member(const canon::Json& json, std::string_view name);

}  // namespace writ::cli_test

/// First line of a test that starts runs.
#define WRIT_NEEDS_RUNS()                                                                  \
  if (const std::string why = ::writ::cli_test::WhyNoRuns(); !why.empty()) GTEST_SKIP() << why

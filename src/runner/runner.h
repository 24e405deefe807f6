#pragma once

#include <memory>
#include <stop_token>

#include "base/error.h"
#include "runner/options.h"

namespace writ {

/// A runner of a plane: claims runs of its pool over outgoing HTTP requests, carries each out in a backend that was given
/// to it, and reports every run with a receipt it signs. Methods are called by one thread; Stop from any, not from a
/// signal handler.
class Runner {
 public:
  /// Opens the directory and the connections; nothing is sent. Call after backends were made and privilege was dropped.
  /// Errors: kInvalid for options that make no sense; kUnavailable when another runner works in the directory.
  static Result<std::unique_ptr<Runner>> Create(runner::Options options);
  ~Runner();  ///< as Stop

  /// Reuses the identity in the directory, or enrols with the token: repeated for a while when the plane cannot be
  /// reached, not when it refuses. Then ends what a crash left, with receipts.
  /// Errors: kDenied `runner is not enrolled and no enroll token was provided`, when the plane refuses the token, or when
  /// its key is not the one that the options name; kUnavailable when Stop, or `stop`, ended it.
  Result<> EnsureEnrolled(const std::stop_token& stop = {});

  /// Claims one run, if one waits, and carries it out. Returns whether there was one. Enrols first; `stop` ends only that.
  /// Errors: the claim could not be made, must not be acted on, or could not be reported.
  Result<bool> RunOnce(const std::stop_token& stop = {});

  /// Claims and carries out runs until Stop, on threads of its own. Enrols first; `stop` ends only that. What goes wrong
  /// with one run is told as `runner error: ...` and the next is claimed.
  Result<> Start(const std::stop_token& stop = {});
  /// No more claims; returns when every claimed run has ended and was reported. Idempotent. An enrolment under way in
  /// another thread ends at once; one that begins afterwards does not: for that is the token.
  void Stop();
  /// Whether Start was called and Stop was not.
  bool running() const;

 private:
  struct State;
  explicit Runner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

namespace runner {
using writ::Runner;
}

}  // namespace writ

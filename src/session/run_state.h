#pragma once

#include "base/error.h"
#include "storage/store.h"

namespace writ::session {

/// The states of a run; the store keeps the same ones.
using RunState = storage::RunStatus;

/// Which moves a run may make. An ended run never moves again.
constexpr bool CanMove(RunState from, RunState to) {
  switch (from) {
    case RunState::kCreated:
      return to == RunState::kClaimed || to == RunState::kCancelled;
    case RunState::kAwaitingApproval:
      return to == RunState::kCreated || to == RunState::kCancelled;
    case RunState::kClaimed:
      return to == RunState::kRunning || storage::IsTerminal(to);
    case RunState::kRunning:
      return storage::IsTerminal(to);
    case RunState::kCompleted:
    case RunState::kFailed:
    case RunState::kCancelled:
      return false;
  }
  return false;
}

static_assert(CanMove(RunState::kCreated, RunState::kClaimed));
static_assert(CanMove(RunState::kClaimed, RunState::kRunning));
static_assert(CanMove(RunState::kClaimed, RunState::kFailed), "a run that could not start still ends");
static_assert(CanMove(RunState::kRunning, RunState::kCompleted));
static_assert(!CanMove(RunState::kCreated, RunState::kRunning), "nothing runs unclaimed");
static_assert(!CanMove(RunState::kRunning, RunState::kClaimed), "nothing is claimed twice");
static_assert(!CanMove(RunState::kAwaitingApproval, RunState::kClaimed), "nothing is claimed unapproved");
static_assert(!CanMove(RunState::kCompleted, RunState::kFailed) && !CanMove(RunState::kFailed, RunState::kRunning) &&
                  !CanMove(RunState::kCancelled, RunState::kCreated),
              "ended runs never restart");

/// Errors: kInvalid `cannot transition run from A to B`.
inline Result<> CheckMove(RunState from, RunState to) {
  if (CanMove(from, to)) return {};
  return Fail(Code::kInvalid, "cannot transition run from {} to {}", storage::RunStatusName(from),
              storage::RunStatusName(to));
}

}  // namespace writ::session

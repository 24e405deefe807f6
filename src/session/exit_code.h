#pragma once

#include "isolation/backend.h"

namespace writ::session {

/// Who ended a cancelled run: the person at its terminal or another command.
enum class CancelledBy : std::uint8_t { kNobody, kCaller, kKillRequest };

/// The exit code of command.executed and of the receipt's story, which know only numbers: 127 for what could not start,
/// 1 for every other end that is not the job's own. The truth is `writ.termination`.
int WireExitCode(const isolation::Outcome& outcome);

/// The exit code of `writ run` (docs/cli.md): the job's own, 128+s for a signal,
/// 124 time, 137 memory or killed, 126/127 as shells do, 125 could not be run, 130 cancelled by its caller.
int ShellExitCode(const isolation::Outcome& outcome, CancelledBy by);

}  // namespace writ::session

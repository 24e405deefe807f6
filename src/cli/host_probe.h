#pragma once

#include <string>

#include "base/env.h"
#include "base/error.h"
#include "isolation/probe/report_cache.h"

namespace writ::cli {

/// What this program asks of a host: the same for `writ doctor` and for the digest in receipts, so that they share one
/// kept report. `state_dir` is where workspaces and inputs are staged.
isolation::ProbeOptions HostProbeOptions(const std::string& state_dir);

/// Digest of the host's report for a run's receipt, probing when the kept report is outdated. Called before privilege
/// is given up: probes start processes. Creates the state directory.
Result<std::string> HostProbeDigest(const EnvLookup& env);

/// The same for a runner, whose report is kept in a directory of its own. Creates it (0700).
Result<std::string> HostProbeDigestIn(const std::string& directory);

/// File of the kept report inside a state directory.
std::string HostReportFile(const std::string& state_dir);

}  // namespace writ::cli

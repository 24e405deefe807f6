#include "session/git_cell.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/escape.h"
#include "sys/tree.h"

namespace writ::session {
namespace {

using isolation::Termination;

constexpr std::size_t kStderrBytesMax = 64u << 10;
constexpr std::size_t kComplaintColumnsMax = 500;
constexpr std::uint32_t kPids = 64;

/// git does not always say that the disk was full, so that is tried.
constexpr int kDiskFull = 90;
constexpr std::string_view kPrelude = R"(
fail() { head -c 65536 /dev/zero > /tmp/full 2> /dev/null || exit 90; exit "$1"; }
)";

/// Configuration of the highest precedence, so that nothing in a repository changes it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kConfig = {{
    {"core.hooksPath", "/dev/null"},
    {"core.fsmonitor", "false"},
    {"core.untrackedCache", "false"},
    {"core.attributesFile", "/dev/null"},
    {"core.excludesFile", "/dev/null"},
    {"core.pager", "cat"},
    {"core.askPass", ""},
    {"core.sshCommand", "/bin/false"},
    {"credential.helper", ""},
    {"protocol.allow", "never"},
    {"protocol.file.allow", "always"},  // a bundle is a file
    {"submodule.recurse", "false"},
    {"fetch.recurseSubmodules", "false"},
    {"gc.auto", "0"},
    {"maintenance.auto", "false"},
    {"advice.detachedHead", "false"},
    {"advice.addEmbeddedRepo", "false"},
    {"safe.directory", "*"},  // who owns the files inside the cell says nothing
}};

std::vector<std::string> Environment() {
  std::vector<std::string> env = {"PATH=/usr/bin:/bin",
                                  "HOME=/tmp/home",
                                  "LC_ALL=C",
                                  "TZ=UTC",
                                  "GIT_CONFIG_NOSYSTEM=1",
                                  "GIT_CONFIG_GLOBAL=/dev/null",
                                  "GIT_ATTR_NOSYSTEM=1",
                                  "GIT_TERMINAL_PROMPT=0",
                                  "GIT_ASKPASS=/bin/false",
                                  "GIT_PAGER=cat",
                                  "GIT_ALLOW_PROTOCOL=file",
                                  "GIT_COMMITTER_NAME=writ",
                                  "GIT_COMMITTER_EMAIL=writ@localhost"};
  env.push_back(fmt::format("GIT_CONFIG_COUNT={}", kConfig.size()));
  for (std::size_t i = 0; i < kConfig.size(); ++i) {
    env.push_back(fmt::format("GIT_CONFIG_KEY_{}={}", i, kConfig[i].first));
    env.push_back(fmt::format("GIT_CONFIG_VALUE_{}={}", i, kConfig[i].second));
  }
  return env;
}

/// Keeps what the script wrote. The backend has cut both streams at their limits.
class Keeper final : public isolation::OutputSink {
 public:
  Result<> Write(isolation::Stream stream, ByteView bytes) override {
    text[stream == isolation::Stream::kStderr].append(AsText(bytes));
    return {};
  }
  Result<> Truncated(isolation::Stream stream) override {
    cut[stream == isolation::Stream::kStderr] = true;
    return {};
  }
  std::string text[2];
  bool cut[2] = {};
};

Result<isolation::Layer> OpenLayer(const std::string& path) {
  return isolation::Layer{path, WRIT_TRY("open directory", sys::OpenDirectory(path))};
}

/// Why a script ended otherwise than by itself.
Error EndError(const isolation::Outcome& outcome) {
  const std::string why = fmt::format("git was ended by {}{}{}", isolation::TerminationName(outcome.how),
                                      outcome.message.empty() ? "" : ": ", outcome.message);
  switch (outcome.how) {
    case Termination::kTimeLimit:
    case Termination::kCpuLimit:
    case Termination::kMemoryLimit:
    case Termination::kOutputLimit:
    case Termination::kDiskLimit:
      return {Code::kExhausted, why};
    case Termination::kNotStarted:
      return {Code::kUnavailable, "git cannot be started: " + outcome.message};
    default:
      return {Code::kUnavailable, why};
  }
}

Result<isolation::SessionSpec> SpecOf(GitJob& job, const GitLimits& limits, Deadline deadline) {
  isolation::SessionSpec spec;
  spec.argv = {"/bin/sh", "-c", std::string(kPrelude) + job.script, "git"};
  for (auto& arg : job.args) spec.argv.push_back(std::move(arg));
  spec.env = Environment();
  spec.limits.wall_time = limits.wall_time;
  if (!deadline.never()) {
    const auto left = std::chrono::ceil<Millis>(deadline.when() - std::chrono::steady_clock::now());
    if (left <= Millis{0}) return Fail(Code::kDeadline, "no time is left for git");
    spec.limits.wall_time = std::min(limits.wall_time, left);
  }
  spec.limits.cpu_time = limits.cpu_time;
  spec.limits.memory_bytes = limits.memory_bytes_max;
  spec.limits.pids = kPids;
  spec.limits.disk_bytes = limits.tree_bytes_max;
  spec.limits.inodes = limits.entries_max;
  spec.limits.stdout_bytes = job.stdout_bytes_max;
  spec.limits.stderr_bytes = kStderrBytesMax;
  spec.accepted = limits.accepted;
  if (!job.workspace.empty()) spec.workspace = WRIT_TRY("work tree", OpenLayer(job.workspace));
  if (!job.inputs.empty()) spec.inputs = WRIT_TRY("inputs", OpenLayer(job.inputs));
  return spec;
}

}  // namespace

Result<GitRun> RunGit(GitJob job, const GitLimits& limits, isolation::Backend& backend, Deadline deadline) {
  auto spec = WRIT_TRY("git", SpecOf(job, limits, deadline));
  auto keeper = std::make_unique<Keeper>();
  Keeper& kept = *keeper;
  GitRun run;
  run.sink_ = std::move(keeper);
  run.session_ = WRIT_TRY("start a cell for git", backend.Start(std::move(spec), *run.sink_));
  auto outcome = run.session_->Wait(deadline);
  if (!outcome && outcome.error().code == Code::kDeadline) {
    run.session_->Kill(Termination::kTimeLimit);
    return Fail(Code::kDeadline, "git took too long");
  }
  const isolation::Outcome end = WRIT_TRY("git", std::move(outcome));
  if (end.how != Termination::kExited) return std::unexpected(EndError(end));
  if (kept.cut[0]) return Fail(Code::kExhausted, "git wrote more than {} bytes", job.stdout_bytes_max);
  run.code = end.code;
  run.out = std::move(kept.text[0]);
  run.err = std::move(kept.text[1]);
  if (run.code == 127) return Fail(Code::kUnavailable, "git is not installed on this host: {}", GitComplaint(run));
  // Where a limit shows inside git as an error of its own.
  if (run.code == kDiskFull || (run.code != 0 && run.err.find("No space left on device") != run.err.npos))
    return Fail(Code::kExhausted, "git needs more than {} bytes or {} files", limits.tree_bytes_max,
                limits.entries_max);
  if (run.code != 0 && run.err.find("Out of memory") != run.err.npos)
    return Fail(Code::kExhausted, "git needs more than {} bytes of memory", limits.memory_bytes_max);
  return run;
}

std::string GitComplaint(const GitRun& run) {
  std::string_view text = run.err;
  while (text.ends_with('\n')) text.remove_suffix(1);
  return EscapeVisible(text, kComplaintColumnsMax);
}

}  // namespace writ::session

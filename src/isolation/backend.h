#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/limits.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"

namespace writ::isolation {

/// Names used by --accept, in contracts and in receipts: "wall-time", "cpu-time", "cpus", "memory", "pids",
/// "files", "stdout", "stderr", "disk", "inodes", "groups".
/// Values: mechanism, for example "cgroup2", "cgroup1", "rlimit", "tmpfs", "init-timer", "pipe".
using Mechanisms = std::map<std::string, std::string, std::less<>>;

enum class Stream : std::uint8_t { kStdout, kStderr };

/// Receives the guest's output while it runs, on the thread that calls Session::Wait.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  /// Takes all of `bytes` (already cut to the stream's limit). An error stops the run (fail closed).
  virtual Result<> Write(Stream stream, ByteView bytes) = 0;
  /// Called once, when the stream's limit was reached and the rest is being discarded.
  virtual Result<> Truncated(Stream stream) = 0;
  /// A descriptor that must be writable before the session reads more of this stream; -1 when ready now.
  virtual int NotReady(Stream) { return -1; }
};

/// How a run ended. Words on the wire: docs/formats/writ.md.
enum class Termination : std::uint8_t {
  kExited, kSignal, kTimeLimit, kCpuLimit, kMemoryLimit, kOutputLimit, kDiskLimit, kEgressBudget,
  kCancelled, kInterrupted, kNotStarted };
std::string_view TerminationName(Termination how);  ///< "exited", "signal", "time_limit", ...

/// Measured, not estimated; a member is absent when nothing measured it.
struct ResourceUse {
  std::int64_t wall_us = 0;
  std::optional<std::int64_t> cpu_user_us, cpu_system_us;
  std::optional<std::uint64_t> memory_peak_bytes;
  std::uint64_t stdout_bytes = 0, stderr_bytes = 0;  ///< written by the guest, discarded ones included
};

struct Outcome {
  Termination how = Termination::kNotStarted;
  int code = 0;          ///< exit code for kExited, signal number for kSignal; 126/127 with kNotStarted by exec
  std::string message;   ///< for people; why it did not start, which limit ended it
  ResourceUse use;
  bool stdout_truncated = false, stderr_truncated = false;
};

/// A host directory the guest sees.
struct Layer {
  std::string host_path;   ///< absolute; opened again by the helper and compared with `fd`
  sys::UniqueFd fd;        ///< the directory as the caller opened it
};

/// Port of the HTTP and CONNECT proxy on 127.0.0.1 inside a guest's network namespace.
inline constexpr std::uint16_t kProxyPort = 3128;

/// Listeners inside a guest's network namespace that somebody outside serves: the only way out of it. TCP ones listen
/// already, so that what a guest opens before they are served waits. Those for IPv6 are invalid where the host has none.
struct NetworkDoors {
  sys::UniqueFd proxy;                       ///< 127.0.0.1:kProxyPort
  sys::UniqueFd transparent4, transparent6;  ///< every other outgoing TCP connection, redirected here
  sys::UniqueFd dns_udp4, dns_tcp4, dns_udp6, dns_tcp6;  ///< every DNS question, whatever resolver it was meant for
};

/// A small file made for one run, shown read-only at /run/writ/NAME.
struct PlacedFile {
  std::string name;   ///< one path component
  std::string bytes;
};
inline constexpr std::string_view kPlacedFiles = "/run/writ";

/// Where SessionSpec::tools is shown.
inline constexpr std::string_view kToolsPlace = "/opt/agents";

/// Everything a backend needs for one run. Descriptors are given away.
struct SessionSpec {
  std::vector<std::string> argv;  ///< argv[0] is looked up in the PATH of `env`; must not be empty
  std::vector<std::string> env;   ///< complete, "NAME=VALUE"
  std::string cwd = "/work";      ///< absolute inside the guest
  Limits limits;
  Mechanisms accepted;            ///< weaker mechanisms the contract accepts
  std::optional<Layer> root;      ///< another root file system, read-only
  std::optional<Layer> workspace; ///< shown copy-on-write at /work
  std::optional<Layer> inputs;    ///< shown read-only at /in; a staging directory of the caller
  std::optional<Layer> tools;     ///< programs that the operator provides, shown read-only at kToolsPlace
  std::vector<PlacedFile> files;  ///< at most 16, together at most 4 MiB; they count as disk
  bool kill_on_output_limit = false;
  bool doors = false;             ///< make the listeners of NetworkDoors; else the guest has no network but its own `lo`
  sys::UniqueFd stdin_fd;         ///< invalid: /dev/null
  struct Terminal { std::uint16_t rows = 24, columns = 80; };
  std::optional<Terminal> terminal;  ///< a pseudo-terminal; stdout carries all output, stdin_fd is copied into it
};

/// What the backend really enforces for a session. Copied into the receipt, so it must be true.
struct Guarantees {
  std::string tier;          ///< "process"
  std::string backend;       ///< implementation and version
  Mechanisms enforced;       ///< limit or property -> mechanism, from this run's own set-up
};

/// Where a finished guest's files are.
enum class Place : std::uint8_t {
  kWorkspace,  ///< /work: the upper layer when a workspace was given and overlaid, else the whole directory
  kOut         ///< /out
};

inline constexpr Place kPlaces[] = {Place::kWorkspace, Place::kOut};

/// A tree left by a guest whose last process is dead.
struct GuestTree {
  sys::UniqueFd root;
  sys::TreeOpener* opener = nullptr;  ///< borrowed from the Session
  bool complete = false;              ///< true: names that are absent were deleted; false: upper layer of an overlay
};

/// One running guest. Destroying it kills and reaps the guest; nothing outlives the object.
class Session {
 public:
  virtual ~Session() = default;
  /// Drives output and limits until every process of the guest is dead. Errors: kDeadline: still running, call
  /// again; any other error: the guest has been killed.
  virtual Result<Outcome> Wait(Deadline deadline) = 0;
  /// Ends the run as `how` (kCancelled, kEgressBudget, ...). Idempotent, callable from any thread.
  virtual void Kill(Termination how) noexcept = 0;
  /// Writes to a terminal's size. No effect without a terminal.
  virtual void Resize(SessionSpec::Terminal size) noexcept = 0;
  virtual const Guarantees& guarantees() const noexcept = 0;
  /// Valid after Wait returned an Outcome, until destruction.
  virtual Result<GuestTree> Tree(Place place) = 0;
  /// The listeners that SessionSpec::doors asked for, once. Errors: kUnavailable when there are none.
  virtual Result<NetworkDoors> TakeDoors() { return Fail(Code::kUnavailable, "this session has no network doors"); }
  /// Nothing more is asked of the session: what is left of it begins to end, and destruction waits for that. Returns at
  /// once; a tree it gave is no longer valid.
  virtual void Close() noexcept {}
};

/// A kind of isolation. One implementation per tier; one conformance suite over all of them.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view tier() const noexcept = 0;
  /// Says why not, before anything starts. kUnavailable: this host cannot enforce a limit and the spec does not
  /// accept a weaker mechanism; the text names the exact `--accept` list.
  virtual Result<> Accepts(const SessionSpec& spec) const = 0;
  /// `sink` is borrowed and must outlive the returned Session. An exec that fails (program not found) is an
  /// Outcome of the session, not an error here.
  virtual Result<std::unique_ptr<Session>> Start(SessionSpec spec, OutputSink& sink) = 0;
};

}  // namespace writ::isolation

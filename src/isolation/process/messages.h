#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "isolation/backend.h"
#include "isolation/process/wire.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"

/// What travels between `writ` (client), `writ-jail` and a cell's PID 1. All sockets are SOCK_SEQPACKET; a large
/// body travels in a sealed memory file, so that its reader sees bytes that cannot change any more.
namespace writ::isolation::process {

constexpr std::size_t kMessageBytesMax = 16384;
constexpr Millis kSendWait{5000};       ///< for the other side to take a message
constexpr Millis kAnswerWait{30'000};  ///< for an answer, and for work that precedes it
constexpr std::size_t kBodyBytesMax = 8u << 20;  ///< argv and environment; the kernel itself stops at about 2 MiB

void Encode(WireWriter& out, const Mechanisms& mechanisms);
Mechanisms DecodeMechanisms(WireReader& in);

// ---- client -> jail ----

/// The first message is sys::Processors::Text() of the client, which may have moved the jail, or this where it is empty.
constexpr std::string_view kAnyProcessor = "any";

enum class JailRequest : std::uint32_t {
  kPrepare = 1,  ///< offer one more empty cell when there is time; answered by a CellReply with `offer` set, later
  kTake = 2,     ///< Take: a cell for one guest, or limits and directories for an offered one; answered by a CellReply
  kKill = 3,     ///< SIGKILL a cell's PID 1; no answer
};

/// A cell for one guest, with the host directories it will see. Directories follow as descriptors, as the client
/// opened them, in the order of the paths that are not empty.
struct Take {
  std::uint64_t cell = 0;  ///< an offered one that the client holds; 0: a new one
  Limits limits;
  std::string root_path, workspace_path, inputs_path, tools_path;  ///< absolute; empty: none
};
void Encode(WireWriter& out, const Take& take);
Result<Take> DecodeTake(ByteView bytes);

/// The jail's first message.
struct Hello {
  Mechanisms offered;          ///< what this host lets the jail enforce with control groups, and "groups"
  std::optional<Error> error;  ///< set: no cell can be made here; the jail ends
};
void Encode(WireWriter& out, const Hello& hello);
Result<Hello> DecodeHello(ByteView bytes);

/// A cell that waits for its launch. On success these descriptors follow: for a cell that the client does not hold yet,
/// the control socket of PID 1, pidfd of PID 1 and one per name in `stats` (readable control group files); then the
/// detached mounts of a workspace, of inputs and of tools.
struct CellReply {
  bool offer = false;             ///< prepared ahead, not the answer to a kTake; with `error`: it could not be
  std::uint64_t cell = 0;         ///< name for kKill
  Limits limits;                  ///< what its control group holds it to
  Mechanisms enforced;            ///< what the jail set up
  std::vector<std::string> stats; ///< "v1.cpu", "v1.peak", "v1.oom", "v2.cpu", "v2.peak", "v2.oom"
  bool workspace_is_copy = false;
  std::optional<Error> error;     ///< set: no descriptors follow
};
void Encode(WireWriter& out, const CellReply& reply);
Result<CellReply> DecodeCellReply(ByteView bytes);

// ---- jail -> PID 1 ----

/// The jail's first message: the ids of the cell are mapped.
constexpr std::string_view kMapped = "mapped";
/// Then, for a cell with the host's system directories: a copy of the jail's FixedRoot, or no descriptor.
constexpr std::string_view kRoot = "root";
/// The jail's last: the cell's control group is made. Its version 1 `tasks` files travel along; PID 1 joins by
/// writing to them.
constexpr std::string_view kJoin = "join";

// ---- client -> PID 1 ----

/// The part of SessionSpec that PID 1 and the guest's process need. Travels as a sealed memory file.
struct LaunchBody {
  std::vector<std::string> argv, env;
  std::string cwd;
  Limits limits;
  Mechanisms accepted;
  std::uint16_t rows = 0, columns = 0;  ///< of a terminal
  std::vector<PlacedFile> files;
};
void Encode(WireWriter& out, const LaunchBody& body);
Result<LaunchBody> DecodeLaunchBody(ByteView bytes);

/// May come before a CellLaunch with doors, and only then: PID 1 makes them while the jail still prepares what is shown.
constexpr std::string_view kDoorsAhead = "doors";

/// The client's first message: run a guest. Descriptors follow in this order: body, then stdout and stderr without a
/// terminal, then those that the flags name.
struct CellLaunch {
  bool terminal = false, stdin_fd = false, workspace = false, workspace_is_copy = false, inputs = false;
  bool doors = false, tools = false;
};
void Encode(WireWriter& out, const CellLaunch& launch);
Result<CellLaunch> DecodeCellLaunch(ByteView bytes);

enum class InitRequest : std::uint32_t {
  kKill = 1,    ///< end every process of the guest now
  kResize = 2,  ///< rows, columns of the terminal
  kOpen = 3,    ///< text: name; one descriptor: directory. After the end only. Answered by an EntryReply
};

// ---- PID 1 -> client ----

enum class InitReport : std::uint32_t {
  kStarted = 1,  ///< the guest runs; Mechanisms follow; with a terminal: one descriptor, the master
  kFailed = 2,   ///< code, text: the cell could not be completed; nothing ran
  kEnded = 3,    ///< EndReport: every process of the guest is dead
  kPlaces = 4,   ///< an EntryReply per Place in their order; follows kEnded
  kEntry = 5,    ///< EntryReply
  kDoors = 6,    ///< before kStarted, when the launch asks for doors; descriptors: those of DoorsOf that are valid
};

struct EndReport {
  enum class Cause : std::uint32_t { kItself = 0, kExecFailed = 1, kTimeLimit = 2, kKilled = 3 };
  Cause cause = Cause::kItself;
  std::int32_t wait_status = 0;  ///< of the main process, as waitpid(2) gives it
  std::int32_t exec_errno = 0;   ///< with kExecFailed
  std::int64_t wall_us = 0, user_us = 0, system_us = 0;  ///< user and system of all reaped processes
};
void Encode(WireWriter& out, const EndReport& report);
EndReport DecodeEndReport(WireReader& in);

/// The listeners in the order in which they travel; those for IPv6 are last and may be missing.
std::array<sys::UniqueFd*, 7> DoorsOf(NetworkDoors& doors);
constexpr std::size_t kDoorsWithoutIpv6 = 4;

/// What was opened: a place at the end, an entry for kOpen. One descriptor travels beside it unless `error` is set.
struct EntryReply {
  sys::TreeEntry entry;        ///< `entry.fd` travels beside the bytes
  bool complete = false;       ///< of a place: see GuestTree
  std::optional<Error> error;
};
void Encode(WireWriter& out, const EntryReply& reply);
EntryReply DecodeEntryReply(WireReader& in);

/// A sealed memory file with these bytes. Source: memfd_create(2), fcntl(2) F_ADD_SEALS.
Result<sys::UniqueFd> SealBody(ByteView bytes);
/// Reads a body. Errors: kInvalid when it is not sealed against writing and shrinking or exceeds kBodyBytesMax.
Result<std::vector<std::uint8_t>> ReadBody(const sys::UniqueFd& body);

}  // namespace writ::isolation::process

#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "isolation/process/messages.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

struct JailProgram {
  std::string path;               ///< of writ-jail; empty: beside the running program, or ../libexec/writ/
  std::uint32_t warm_cells = 0;   ///< empty cells prepared at once
  bool refill = true;             ///< prepare another one for each that is taken
  bool one_run = false;           ///< the jail ends by itself once a cell was taken and all have ended
  std::string delegated_cgroup;   ///< cgroup v2 directory the caller may use; empty: find one
};

/// A cell that waits for its launch.
struct TakenCell {
  std::uint64_t name = 0;
  Limits limits;
  Mechanisms enforced;
  sys::UniqueFd control, pidfd;
  std::vector<std::pair<std::string, sys::UniqueFd>> stats;
  sys::UniqueFd workspace, inputs, tools;  ///< detached mounts to hand to PID 1
  bool workspace_is_copy = false;
};

/// The client's side of one writ-jail process. Thread-safe. Destruction closes the socket, on which the jail ends
/// every cell, and waits for it.
class JailClient {
 public:
  /// Starts the program. Call before any thread exists and before privilege is dropped. The jail goes on making
  /// itself ready meanwhile; Offered() waits for it.
  static Result<std::unique_ptr<JailClient>> Start(const JailProgram& program);
  ~JailClient();

  /// What this host lets the jail enforce. Errors: kUnavailable with the reason no cell can be made here.
  Result<Mechanisms> Offered();
  /// A cell with these limits. `directories` are borrowed descriptors, one per path of `take` that is not empty.
  /// A cell that was prepared ahead is taken without asking the jail, if it fits; if the jail must be asked, its PID 1 makes
  /// the doors that the launch will want (`doors`) meanwhile.
  Result<TakenCell> TakeCell(Take take, const std::vector<int>& directories, bool doors);
  void Kill(std::uint64_t cell);
  /// Lets the jail prepare one more cell, in place of one that was taken ahead. Nothing happens without `refill`, or
  /// when none was taken.
  void AskForAnother();

 private:
  JailClient(sys::UniqueFd socket, sys::UniqueFd pidfd, pid_t pid, const JailProgram& program)
      : socket_(std::move(socket)), pidfd_(std::move(pidfd)), pid_(pid), awaited_(program.warm_cells),
        refill_(program.refill && program.warm_cells > 0) {}
  Result<> AwaitHello();
  Result<std::optional<TakenCell>> TakeOffered();
  /// Reads one message: the answer to a kTake, or nothing after an offer, which is kept. For a cell that is held
  /// already the answer carries limits and mounts only.
  Result<std::optional<TakenCell>> Receive(Deadline deadline, bool for_held_cell);

  std::mutex mutex_;  ///< guards the socket's request and answer pairs, offered_ and ready_
  sys::UniqueFd socket_, pidfd_;
  pid_t pid_;
  std::optional<Result<Mechanisms>> offered_;
  std::deque<TakenCell> ready_;  ///< prepared ahead
  std::uint32_t awaited_ = 0;    ///< offers that the jail still owes
  std::uint32_t taken_ = 0;      ///< taken ahead and not made up for
  bool refill_ = false;
};

}  // namespace writ::isolation::process

#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "isolation/process/messages.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

struct JailProgram {
  std::string path;               ///< of writ-jail; empty: beside the running program, or ../libexec/writ/
  std::uint32_t warm_cells = 0;   ///< empty cells kept ready
  std::string delegated_cgroup;   ///< cgroup v2 directory the caller may use; empty: find one
};

/// A guest that the jail has put into a cell.
struct Launched {
  std::uint64_t cell = 0;
  Mechanisms enforced;
  sys::UniqueFd control, pidfd;
  std::vector<std::pair<std::string, sys::UniqueFd>> stats;
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
  Result<Launched> Launch(const struct Launch& launch, const LaunchBody& body, std::vector<int> streams_and_layers);
  void Kill(std::uint64_t cell);

 private:
  JailClient(sys::UniqueFd socket, sys::UniqueFd pidfd, pid_t pid)
      : socket_(std::move(socket)), pidfd_(std::move(pidfd)), pid_(pid) {}
  Result<> AwaitHello();

  std::mutex mutex_;  ///< guards the socket's request and answer pairs, and offered_
  sys::UniqueFd socket_, pidfd_;
  pid_t pid_;
  std::optional<Result<Mechanisms>> offered_;
};

}  // namespace writ::isolation::process

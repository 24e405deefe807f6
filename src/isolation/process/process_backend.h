#pragma once

#include <memory>
#include <string>

#include "isolation/backend.h"
#include "isolation/process/jail_client.h"

namespace writ::isolation::process {

/// The tier `process`: Linux namespaces, a private root, control groups, a system call filter. Its privileged part is
/// the program writ-jail, which this object owns.
class ProcessBackend final : public Backend {
 public:
  /// Starts writ-jail. Call first of all, before threads, listeners and stores exist; then ConfineClient().
  /// Errors: kNotFound when the program is missing. A host on which no cell can be made shows in Accepts().
  static Result<std::unique_ptr<ProcessBackend>> Create(const JailProgram& program = {});

  std::string_view tier() const noexcept override { return "process"; }
  Result<> Accepts(const SessionSpec& spec) const override;
  Result<std::unique_ptr<Session>> Start(SessionSpec spec, OutputSink& sink) override;

 private:
  explicit ProcessBackend(std::shared_ptr<JailClient> jail) : jail_(std::move(jail)) {}
  std::shared_ptr<JailClient> jail_;  ///< shared with running sessions, which may outlive the backend
};

/// What a process that handles hostile bytes does after writ-jail runs: root drops every capability, and everybody
/// gives up gaining privilege and starting programs (client filter of seccomp/filter.h).
/// Errors: kInternal; the caller ends, because it would go on with privilege it must not have.
enum class ClientNetwork : bool { kNone, kOut };  ///< whether it may open TCP and UDP sockets
Result<> ConfineClient(ClientNetwork network = ClientNetwork::kNone);

/// The `--accept` entries that a spec with these limits lacks on a host that offers `offered`; empty: none.
/// `memory=rlimit`, `pids=rlimit`, `cpus=affinity`, `cpu-time=rlimit`, `groups=kept`.
Mechanisms MissingAcceptance(const Mechanisms& offered, const Mechanisms& accepted);

}  // namespace writ::isolation::process

#include "isolation/process/process_backend.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "isolation/process/process_session.h"
#include "isolation/process/seccomp/filter.h"

namespace writ::isolation::process {
namespace {

/// Limits whose strong form needs a control group, and the weaker mechanism a contract may accept instead.
constexpr std::array<std::pair<const char*, const char*>, 4> kWeaker = {
    {{"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}}};

/// Memory limits that leave swap out (cgroup.h, MemoryMechanism).
constexpr std::array kMemoryOnly = {"cgroup1-swappiness", "cgroup2-no-swap-limit"};

Result<> CheckHostLimits(const Limits& limits) {
  WRIT_TRY("limits", CheckLimits(limits));
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY && limits.open_files > files.rlim_max)
    return Fail(Code::kUnavailable, "limit files is {} but the caller's own hard limit is {}: ask for less, or raise it with `ulimit -Hn`",
                limits.open_files, files.rlim_max);
  return {};
}

}  // namespace

Mechanisms MissingAcceptance(const Mechanisms& offered, const Mechanisms& accepted) {
  Mechanisms missing;
  const auto need = [&](const char* limit, const char* mechanism) {
    const auto found = accepted.find(limit);
    if (found == accepted.end() || found->second != mechanism) missing[limit] = mechanism;
  };
  for (const auto& [limit, mechanism] : kWeaker)
    if (!offered.contains(limit)) need(limit, mechanism);
  if (const auto memory = offered.find("memory"); memory != offered.end())
    for (const char* partial : kMemoryOnly)
      if (memory->second == partial) need("memory", partial);
  if (const auto groups = offered.find("groups"); groups != offered.end() && groups->second == "kept") need("groups", "kept");
  return missing;
}

Result<std::unique_ptr<ProcessBackend>> ProcessBackend::Create(const JailProgram& program) {
  std::shared_ptr<JailClient> jail = WRIT_TRY("process tier", JailClient::Start(program));
  return std::unique_ptr<ProcessBackend>(new ProcessBackend(std::move(jail)));
}

Result<> ProcessBackend::Accepts(const SessionSpec& spec) const {
  if (spec.argv.empty()) return Fail(Code::kInvalid, "there is no command to run");
  WRIT_TRY("process tier", CheckHostLimits(spec.limits));
  const Mechanisms offered = WRIT_TRY("process tier", jail_->Offered());
  const Mechanisms missing = MissingAcceptance(offered, spec.accepted);
  if (missing.empty()) return {};
  std::string list, names;
  std::set<std::string_view> reasons;
  for (const auto& [limit, mechanism] : missing) {
    list += fmt::format(" --accept {}={}", limit, mechanism);
    names += (names.empty() ? "" : ", ") + limit;
    reasons.insert(limit == "groups"             ? "no newuidmap"
                   : mechanism.starts_with("cgroup") ? "its control group does not limit swap"
                                                 : "no usable control group");
  }
  return Fail(Code::kUnavailable,
              "this host cannot fully enforce {} for this user ({}); to run with the weaker mechanisms, say{}", names,
              fmt::join(reasons, ", "), list);
}

Result<std::unique_ptr<Session>> ProcessBackend::Start(SessionSpec spec, OutputSink& sink) {
  WRIT_TRY("accept", Accepts(spec));
  return StartProcessSession(jail_, std::move(spec), sink);
}

Result<> ConfineClient(ClientNetwork network) {
  if (::geteuid() == 0) {
    // A container may hold fewer capabilities; what cannot be dropped from the bounding set is gone from the others.
    for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
      ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> none{};
    if (::syscall(SYS_capset, &header, none.data()) != 0) return FailErrno("drop capabilities");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return FailErrno("set no_new_privs");
  return seccomp::InstallFilter(network == ClientNetwork::kOut ? seccomp::NetworkClientFilter() : seccomp::ClientFilter());
}

}  // namespace writ::isolation::process

#include "cli/host_probe.h"

#include <unistd.h>

#include "isolation/process/systemd_scope.h"
#include "storage/state_dir.h"
#include "sys/file.h"

namespace writ::cli {

isolation::ProbeOptions HostProbeOptions(const std::string& state_dir) {
  isolation::ProbeOptions options;
  options.idmap_directories = {state_dir};
  options.delegate_scope = isolation::process::DelegateScope;
  return options;
}

std::string HostReportFile(const std::string& state_dir) { return state_dir + "/doctor.json"; }

Result<std::string> HostProbeDigest(const EnvLookup& env) {
  const std::string path = WRIT_TRY("state directory", storage::DefaultStatePath(env, ::geteuid() == 0));
  const auto state = WRIT_TRY("state directory", storage::StateDir::Open(path, storage::StateAccess::kWrite));
  isolation::FileReportStore store(HostReportFile(state.path()));
  return isolation::CachedReportDigest(HostProbeOptions(state.path()), WRIT_VERSION, store);
}

Result<std::string> HostProbeDigestIn(const std::string& directory) {
  WRIT_TRY("runner directory", sys::MakeDirectories(directory, 0700));
  isolation::FileReportStore store(HostReportFile(directory));
  return isolation::CachedReportDigest(HostProbeOptions(directory), WRIT_VERSION, store);
}

}  // namespace writ::cli

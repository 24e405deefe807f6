#include "isolation/probe/probe_host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>

#include "isolation/probe/probe_sets.h"

namespace writ::isolation {

Result<HostReport> ProbeHost(const ProbeOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  utsname name{};
  if (::uname(&name) != 0) return FailErrno("uname");
  const Caller caller{.root = ::geteuid() == 0};

  std::vector<ProbeSpec> specs;
  AddNamespaceProbes(caller, specs);
  AddIdProbes(caller, options, specs);
  AddFilterProbes(specs);
  AddMountProbes(caller, specs);
  AddOverlayProbes(caller, specs);
  AddNftablesProbes(specs);
  AddCgroupProbes(caller, options, specs);
  AddProcessProbes(specs);
  AddKvmProbes(specs);

  HostReport report;
  report.kernel = std::string(name.release) + " " + name.machine;
  report.caller = caller.root ? "root" : "user";
  report.probes = WRIT_TRY("probe the host", RunProbes(specs, options.deadline_each));
  report.elapsed_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace writ::isolation

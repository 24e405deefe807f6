#pragma once

#include <vector>

#include "isolation/probe/probe_host.h"
#include "isolation/probe/probe_runner.h"

namespace writ::isolation {

/// Who asks: decides which probes apply.
struct Caller {
  bool root = false;  ///< effective uid 0
};

// One function per subject, each in its own file; they append to the list in the order of docs/formats/doctor.md.
void AddNamespaceProbes(const Caller& caller, std::vector<ProbeSpec>& specs);   // namespace_probes.cc
void AddIdProbes(const Caller& caller, const ProbeOptions& options, std::vector<ProbeSpec>& specs);  // id_probes.cc
void AddFilterProbes(std::vector<ProbeSpec>& specs);                            // filter_probes.cc
void AddMountProbes(const Caller& caller, std::vector<ProbeSpec>& specs);       // mount_probes.cc
void AddOverlayProbes(const Caller& caller, std::vector<ProbeSpec>& specs);     // overlay_probes.cc
void AddNftablesProbes(std::vector<ProbeSpec>& specs);                          // nftables_probes.cc
void AddCgroupProbes(const Caller& caller, const ProbeOptions& options, std::vector<ProbeSpec>& specs);  // cgroup_probes.cc
void AddProcessProbes(std::vector<ProbeSpec>& specs);                           // process_probes.cc
void AddKvmProbes(std::vector<ProbeSpec>& specs);                               // kvm_probes.cc

}  // namespace writ::isolation

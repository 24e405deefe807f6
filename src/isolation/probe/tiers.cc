#include "isolation/probe/tiers.h"

#include <algorithm>
#include <array>

namespace writ::isolation {
namespace {

using canon::Json;

// Without any of these there is no process tier: nothing is silently left out.
constexpr std::array<std::string_view, 15> kNeeded = {
    "namespace.user", "namespace.mount", "namespace.pid", "namespace.net", "namespace.ipc",
    "namespace.uts",  "namespace.cgroup", "no_new_privs", "seccomp",       "mount.api",
    "mount.fsopen",   "mount.proc",       "tmpfs.limits", "pidfd",         "openat2"};

enum class For : std::uint8_t { kAll, kRoot, kUser };
struct Extra {
  std::string_view probe, note;
  For caller = For::kAll;
};
constexpr std::array<Extra, 7> kExtras = {{
    {"landlock", "no Landlock: file access is confined by the private root alone"},
    {"namespace.time", "no time namespace: the host's uptime shows inside"},
    {"keyring", "no keyring of its own: the filter alone keeps keys away"},
    {"overlay.root", "no overlay: workspaces are copied", For::kRoot},
    {"overlay.user", "no overlay in a user namespace: workspaces are copied", For::kUser},
    {"overlay.tmpfs", "tmpfs without user attributes: a workspace is copied up to --disk; a larger one needs --accept "
                      "disk=watch", For::kUser},
    {"nftables.redirect", "no packet redirect: programs that know no proxy will get no network"},
}};

std::string Because(const HostReport& report, std::string_view name) {
  const Probe* probe = report.Find(name);
  return std::string(name) + ": " + (probe == nullptr ? "not probed" : probe->detail);
}

TierVerdict JudgeProcess(const HostReport& report) {
  TierVerdict verdict{.tier = "process"};
  const bool root = report.caller == "root";
  for (const std::string_view name : kNeeded)
    if (!report.Has(name)) verdict.why_not.push_back(Because(report, name));
  if (!report.Has("clock")) verdict.why_not.push_back(Because(report, "clock"));
  // A guest of root must not be root outside: then there has to be a range of ids that belongs to nobody.
  if (root && !report.Has("idmap.range")) verdict.why_not.push_back(Because(report, "idmap.range"));

  if (!root && !report.Has("idmap.range") && !report.Has("groups.none")) verdict.accept["groups"] = "kept";
  const bool scope = report.Has("cgroup2.scope");
  const auto limited = [&](std::string_view v1, std::string_view v2) {
    return report.Has(v2) || scope || (root && report.Has(v1));
  };
  if (!limited("cgroup1.memory", "cgroup2.memory")) verdict.accept["memory"] = "rlimit";
  // The jail takes cgroup v2 where it can. A limit of memory that leaves swap out has a name of its own.
  const auto leaves_swap = [&](std::string_view probe) {
    const Probe* found = report.Find(probe);
    return found != nullptr && !found->ok;
  };
  if (report.Has("cgroup2.memory")) {
    if (leaves_swap("cgroup2.swap")) verdict.accept["memory"] = "cgroup2-no-swap-limit";
  } else if (root && report.Has("cgroup1.memory") && leaves_swap("cgroup1.swap")) {
    verdict.accept["memory"] = "cgroup1-swappiness";
  }
  if (!limited("cgroup1.pids", "cgroup2.pids")) verdict.accept["pids"] = "rlimit";
  if (!limited("cgroup1.cpu", "cgroup2.cpu")) verdict.accept["cpus"] = "affinity";
  if (!limited("cgroup1.cpuacct", "cgroup2.cpu")) verdict.accept["cpu-time"] = "rlimit";
  if ((verdict.accept.contains("memory") || verdict.accept.contains("pids") || verdict.accept.contains("cpu-time")) &&
      !report.Has("rlimit"))
    verdict.why_not.push_back(Because(report, "rlimit"));

  for (const Extra& extra : kExtras)
    if ((extra.caller == For::kAll || (extra.caller == For::kRoot) == root) && !report.Has(extra.probe))
      verdict.notes.emplace_back(extra.note);
  verdict.available = verdict.why_not.empty();
  return verdict;
}

TierVerdict JudgeMicrovm(const HostReport& report) {
  TierVerdict verdict{.tier = "microvm", .available = true};
  const Probe* kvm = report.Find("kvm");
  if (kvm == nullptr || !kvm->ok)
    verdict.notes.push_back(Because(report, "kvm") + "; emulated");
  else if (!kvm->fix.empty())
    verdict.notes.push_back(kvm->fix);
  return verdict;
}

Json Strings(const std::vector<std::string>& texts) {
  Json list = Json::MakeArray();
  for (const std::string& text : texts) list.Append(text);
  return list;
}

}  // namespace

std::vector<TierVerdict> JudgeTiers(const HostReport& report, const std::vector<std::string>& built) {
  std::vector<TierVerdict> verdicts = {JudgeProcess(report), {.tier = "wasm", .available = true},
                                       {.tier = "oci", .available = true}, JudgeMicrovm(report)};
  // WebAssembly workers and OCI runtimes run inside cells of the process tier.
  for (TierVerdict& verdict : verdicts)
    if (verdict.tier != "process" && !verdicts.front().available) {
      verdict.available = false;
      verdict.why_not.push_back("needs the process tier");
    }
  for (TierVerdict& verdict : verdicts)
    if (std::ranges::find(built, verdict.tier) == built.end()) {
      verdict.available = false;
      verdict.why_not = {"not part of this program"};
      verdict.notes.clear();
    }
  return verdicts;
}

std::string AcceptArguments(const TierVerdict& verdict) {
  std::string out;
  for (const auto& [limit, mechanism] : verdict.accept)
    out += (out.empty() ? "--accept " : " --accept ") + limit + "=" + mechanism;
  return out;
}

Json ToJson(const TierVerdict& verdict) {
  Json accept = Json::MakeObject();
  for (const auto& [limit, mechanism] : verdict.accept) accept.Set(limit, mechanism);
  return Json::Of({{"tier", verdict.tier},
                   {"available", verdict.available},
                   {"whyNot", Strings(verdict.why_not)},
                   {"accept", std::move(accept)},
                   {"notes", Strings(verdict.notes)}});
}

}  // namespace writ::isolation

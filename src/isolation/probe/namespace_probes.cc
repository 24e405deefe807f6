#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"

namespace writ::isolation {
namespace {

constexpr unsigned kNobody = 65534;

/// What a process does in its new namespace to see that it is one. Empty: it works.
using Use = std::string (*)();

std::string UseMount() {
  const auto missing = EnterScratchTmpfs("size=64k");
  return missing ? missing->detail : "";
}

std::string UsePid() {
  const int status = RunStep([] { return ::getpid() == 1 ? 0 : 1; });
  if (status < 0) return "fork: " + ErrnoText(errno);
  return status == 0 ? "" : "the first process is not PID 1";
}

std::string UseNet() {
  const sys::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return "socket: " + ErrnoText(errno);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return "bring up lo: " + ErrnoText(errno);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return "bind to 127.0.0.1: " + ErrnoText(errno);
  return "";
}

std::string UseUts() {
  constexpr char kName[] = "writ-probe";
  if (::sethostname(kName, sizeof kName - 1) != 0) return "sethostname: " + ErrnoText(errno);
  char seen[64] = {};
  ::gethostname(seen, sizeof seen - 1);
  return std::strcmp(seen, kName) == 0 ? "" : "the name did not change";
}

std::string UseCgroup() {
  // Inside, every hierarchy's path starts at the new root.
  const std::string lines = ReadSmall("/proc/self/cgroup");
  const std::size_t colon = lines.rfind(':');
  if (colon == std::string::npos) return "";  // no hierarchies mounted: nothing to hide
  return lines.substr(colon + 1) == "/\n" ? "" : "paths of the host's cgroups still show";
}

std::string UseTime() {
  if (auto why = WriteOnce("/proc/self/timens_offsets", "monotonic 86400 0\n")) return "timens_offsets: " + *why;
  timespec before;
  ::clock_gettime(CLOCK_MONOTONIC, &before);
  const int status = RunStep([&] {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - before.tv_sec >= 86400 ? 0 : 1;
  });
  if (status < 0) return "fork: " + ErrnoText(errno);
  return status == 0 ? "" : "the clock did not move";
}

struct Trial {
  const char* name;
  int flag;
  Use use;  ///< null: the different id that EnterNamespaces saw is the proof
};
constexpr Trial kTrials[] = {
    {"mount", CLONE_NEWNS, UseMount}, {"pid", CLONE_NEWPID, UsePid}, {"net", CLONE_NEWNET, UseNet},
    {"ipc", CLONE_NEWIPC, nullptr},   {"uts", CLONE_NEWUTS, UseUts}, {"cgroup", CLONE_NEWCGROUP, UseCgroup},
    {"time", CLONE_NEWTIME, UseTime},
};

const char* WithoutIt(const char* kind) {
  return std::strcmp(kind, "time") == 0 ? "a kernel with CONFIG_TIME_NS; without it uptime shows inside"
                                        : "allow it in the container's or security module's profile; without it the "
                                          "process tier is refused";
}

Finding TryKind(const Trial& kind, bool in_user_namespace) {
  if (auto missing = in_user_namespace ? EnterUserNamespace(kind.flag) : EnterNamespaces(kind.flag)) return *missing;
  if (kind.use != nullptr)
    if (const std::string why = kind.use(); !why.empty())
      return Finding::Missing("made, but unusable: " + why, WithoutIt(kind.name));
  return Finding::Ok(in_user_namespace ? "in a user namespace" : "as root");
}

/// A user namespace counts only when it gives rights: a security module may let it be made and then forbid all.
Finding TryUser() {
  if (auto missing = EnterUserNamespace(0)) return *missing;
  if (::geteuid() != 0) return Finding::Missing("made, but the caller is not root inside", WithoutIt("user"));
  // Any operation that needs a capability over the new namespace; the sets name is not enough.
  if (::setgid(0) != 0) return Finding::Missing("setgid inside: " + ErrnoText(errno), WithoutIt("user"));
  if (auto missing = EnterNamespaces(CLONE_NEWUTS)) {
    const std::string restriction = NamespaceRestriction(CLONE_NEWUSER);
    return Finding::Missing("made, but it gives no rights: " + missing->detail +
                                (restriction.empty() ? "" : " (" + restriction + ")"),
                            missing->fix);
  }
  return Finding::Ok("made, mapped, capabilities work");
}

}  // namespace

void AddNamespaceProbes(const Caller& caller, std::vector<ProbeSpec>& specs) {
  specs.emplace_back("namespace.user", TryUser);
  if (caller.root)
    specs.emplace_back("namespace.user.unprivileged", [] {
      if (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0)
        return Finding::Missing("change to uid 65534: " + ErrnoText(errno), "root with CAP_SETUID and CAP_SETGID");
      return TryUser();
    });
  for (const Trial& kind : kTrials)
    specs.emplace_back(std::string("namespace.") + kind.name, [&kind] { return TryKind(kind, true); });
  if (caller.root)
    for (const Trial& kind : kTrials)
      specs.emplace_back(std::string("namespace.") + kind.name + ".root", [&kind] { return TryKind(kind, false); });
}

}  // namespace writ::isolation

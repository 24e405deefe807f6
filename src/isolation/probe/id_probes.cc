#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"
#include "sys/mount_api.h"

namespace writ::isolation {
namespace {

// First id of the range guests get when root starts them: far above ids that hosts give to people and services.
constexpr unsigned kGuestBase = 1'879'048'192;
constexpr unsigned kRange = 65536;

struct SubordinateRange {
  unsigned long first = 0, count = 0;
};

/// First range of at least `kRange` that /etc/subuid or /etc/subgid gives to the user, by name or by number.
std::optional<SubordinateRange> FindRange(const char* path, const std::string& name, uid_t uid) {
  std::istringstream lines(ReadSmall(path));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string owner = line.substr(0, first);
    if (owner != name && owner != std::to_string(uid)) continue;
    SubordinateRange range;
    range.first = std::strtoul(line.c_str() + first + 1, nullptr, 10);
    range.count = std::strtoul(line.c_str() + second + 1, nullptr, 10);
    if (range.first != 0 && range.count >= kRange) return range;
  }
  return std::nullopt;
}

/// From the file and not from the name service: a static program cannot load the latter. A user known only to a
/// directory service is looked up by number.
std::string UserName(uid_t uid) {
  std::istringstream lines(ReadSmall("/etc/passwd"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t password = line.find(':'), id = line.find(':', password + 1);
    if (password == 0 || password == std::string::npos || id == std::string::npos) continue;
    if (line.compare(id + 1, line.find(':', id + 1) - id - 1, std::to_string(uid)) == 0) return line.substr(0, password);
  }
  return std::to_string(uid);
}

/// Runs newuidmap or newgidmap for `pid`; empty when it succeeded.
std::string RunMapper(const char* program, pid_t pid, unsigned own_id, const SubordinateRange& range) {
  const std::string target = std::to_string(pid), own = std::to_string(own_id),
                    first = std::to_string(range.first), count = std::to_string(kRange);
  const int status = RunStep([&] {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    const char* argv[] = {program, target.c_str(), "0", own.c_str(), "1", "1", first.c_str(), count.c_str(), nullptr};
    char path[] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin";
    char* env[] = {path, nullptr};
    ::execvpe(program, const_cast<char* const*>(argv), env);
    return 127;
  });
  if (status == 0) return "";
  if (status == 127) return std::string(program) + " is not installed";
  return std::string(program) + " refused (exit status " + std::to_string(status) + ")";
}

Finding TryUserRange() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const std::string name = UserName(uid);
  const std::string fix = "apt-get install uidmap && usermod --add-subuids 100000-165535 --add-subgids "
                          "100000-165535 " + name + "; without it: --accept groups=kept";
  const auto uids = FindRange("/etc/subuid", name, uid), gids = FindRange("/etc/subgid", name, uid);
  if (!uids || !gids)
    return Finding::Missing(std::string("no range of 65536 for ") + name + " in " +
                                (uids ? "/etc/subgid" : "/etc/subuid"), fix);
  int ready[2], go[2];
  if (::pipe2(ready, O_CLOEXEC) != 0 || ::pipe2(go, O_CLOEXEC) != 0)
    return Finding::Missing("pipe: " + ErrnoText(errno), fix);
  const pid_t pid = ::fork();
  if (pid < 0) return Finding::Missing("fork: " + ErrnoText(errno), fix);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_DUMPABLE, 1);
    char byte = ::unshare(CLONE_NEWUSER) == 0 ? 0 : static_cast<char>(errno);
    if (::write(ready[1], &byte, 1) != 1 || byte != 0 || ::read(go[0], &byte, 1) != 1) ::_exit(1);
    // What the range is for: ids that are nobody outside, and no group of the caller left.
    if (::setgroups(0, nullptr) != 0) ::_exit(2);
    if (::setresgid(1000, 1000, 1000) != 0 || ::setresuid(1000, 1000, 1000) != 0) ::_exit(3);
    ::_exit(::getgroups(0, nullptr) == 0 ? 0 : 2);
  }
  char byte = 0;
  std::string why;
  if (::read(ready[0], &byte, 1) != 1 || byte != 0)
    why = "unshare: " + ErrnoText(byte);
  else if (why = RunMapper("newuidmap", pid, uid, *uids); why.empty())
    why = RunMapper("newgidmap", pid, gid, *gids);
  if (!why.empty()) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return Finding::Missing(why, fix);
  }
  int status = 0;
  if (::write(go[1], "g", 1) != 1) ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return Finding::Missing("mapped, but groups or ids could not be changed inside", fix);
  return Finding::Ok("newuidmap and newgidmap gave " + std::to_string(uids->first) + "+" + std::to_string(kRange) +
                     ", groups dropped");
}

Finding TryNoGroups() {
  const int count = ::getgroups(0, nullptr);
  gid_t only = 0;
  if (count == 0 || (count == 1 && ::getgroups(1, &only) == 1 && only == ::getegid()))
    return Finding::Ok("the caller has no supplementary groups");
  return Finding::Missing("the caller has supplementary groups, which only idmap.range can drop",
                          "see idmap.range; without it: --accept groups=kept");
}

Finding TryRootRange() {
  auto userns = MakeMappedUserNamespace(kGuestBase);
  if (!userns)
    return Finding::Missing(userns.error().what, "CAP_SETUID and CAP_SETGID over the ids 1879048192 and up: run on "
                                                 "the host or in a container that maps them");
  return Finding::Ok("ids " + std::to_string(kGuestBase) + "+" + std::to_string(kRange) + " mapped");
}

Finding TryIdmappedMount(const std::string& directory) {
  const std::string fix = "a file system with idmapped mounts (ext4, xfs, btrfs, overlay; tmpfs from 6.3); without it "
                          "files are copied";
  auto userns = MakeMappedUserNamespace(kGuestBase);
  if (!userns) return Finding::Missing(userns.error().what, fix);
  const auto mount = sys::CloneMount(AT_FDCWD, directory.c_str(), false);
  if (!mount) return Finding::Missing(mount.error().what, fix);
  if (const auto mapped = sys::MapMountIds(*mount, *userns); !mapped) return Finding::Missing(mapped.error().what, fix);
  return Finding::Ok("mapped");
}

}  // namespace

void AddIdProbes(const Caller& caller, const ProbeOptions& options, std::vector<ProbeSpec>& specs) {
  specs.emplace_back("idmap.range", caller.root ? TryRootRange : TryUserRange);
  if (!caller.root) specs.emplace_back("groups.none", TryNoGroups);
  if (!caller.root) return;  // a user namespace may not map the mounts of the one above it
  for (const std::string& directory : options.idmap_directories)
    specs.emplace_back("idmap.mount:" + directory, [directory] { return TryIdmappedMount(directory); });
}

}  // namespace writ::isolation

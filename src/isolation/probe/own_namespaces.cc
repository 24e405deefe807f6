#include "isolation/probe/own_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace writ::isolation {
namespace {

struct NamespaceKind {
  int flag;
  const char* id;  ///< name below /proc/self/ns
  const char* limit;
};
constexpr std::array<NamespaceKind, 8> kKinds = {{{CLONE_NEWUSER, "user", "max_user_namespaces"},
                                         {CLONE_NEWNS, "mnt", "max_mnt_namespaces"},
                                         {CLONE_NEWPID, "pid_for_children", "max_pid_namespaces"},
                                         {CLONE_NEWNET, "net", "max_net_namespaces"},
                                         {CLONE_NEWIPC, "ipc", "max_ipc_namespaces"},
                                         {CLONE_NEWUTS, "uts", "max_uts_namespaces"},
                                         {CLONE_NEWCGROUP, "cgroup", "max_cgroup_namespaces"},
                                         {CLONE_NEWTIME, "time_for_children", "max_time_namespaces"}}};

std::string FixFor(int flags, int errno_value) {
  for (const NamespaceKind& kind : kKinds)
    if ((flags & kind.flag) != 0 && errno_value == ENOSPC)
      return std::string("sysctl -w user.") + kind.limit + "=16384 (in every user namespace above this one)";
  if ((flags & CLONE_NEWUSER) != 0) {
    const std::string restriction = NamespaceRestriction(CLONE_NEWUSER);
    if (restriction.starts_with("kernel.apparmor"))
      return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for writ with `userns,`";
    if (restriction.starts_with("kernel.unprivileged_userns_clone"))
      return "sysctl -w kernel.unprivileged_userns_clone=1; as root the process tier works without it";
    if (errno_value == EUSERS) return "user namespaces are nested too deeply here: start writ further out";
  }
  if (errno_value == ENOSYS || errno_value == EINVAL) return "a kernel with this namespace kind (CONFIG_NAMESPACES and its members)";
  if (errno_value == EPERM)
    return "something outside forbids it: inside a container allow unshare in its seccomp profile "
           "(docker: --security-opt seccomp=unconfined), leave a chroot, or run on the host";
  return "see the error text; without it the process tier is refused";
}

}  // namespace

std::string ReadSmall(const std::string& path) {
  const sys::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> chunk;
  while (fd.valid() && text.size() < (64u << 10)) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string Sysctl(const std::string& name) {
  std::string text = ReadSmall("/proc/sys/" + name);
  text.resize(text.find_first_of(" \t\n") == std::string::npos ? text.size() : text.find_first_of(" \t\n"));
  return text;
}

std::optional<std::string> WriteOnce(const std::string& path, std::string_view text) {
  const sys::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoText(errno);
  const ssize_t put = ::write(fd.get(), text.data(), text.size());
  if (put < 0) return ErrnoText(errno);
  if (static_cast<std::size_t>(put) != text.size()) return "only part was taken";
  return std::nullopt;
}

std::string NamespaceRestriction(int flag) {
  if (flag == CLONE_NEWUSER) {
    for (const char* name : {"apparmor_restrict_unprivileged_userns", "unprivileged_userns_clone"}) {
      const std::string value = Sysctl(std::string("kernel/") + name);
      const bool forbids = name[0] == 'a' ? value == "1" : value == "0";
      if (forbids) return std::string("kernel.") + name + "=" + value;
    }
  }
  for (const NamespaceKind& kind : kKinds)
    if (flag == kind.flag && Sysctl(std::string("user/") + kind.limit) == "0")
      return std::string("user.") + kind.limit + "=0";
  return {};
}

std::uint64_t NamespaceId(const char* kind) {
  struct stat info;
  return ::stat((std::string("/proc/self/ns/") + kind).c_str(), &info) == 0 ? info.st_ino : 0;
}

namespace {

/// Settings that forbid any of `flags` where the caller is. Read before a user namespace is entered: each has values
/// of its own, and the smallest on the way up counts.
std::string Restrictions(int flags) {
  std::string out;
  for (const NamespaceKind& kind : kKinds)
    if ((flags & kind.flag) != 0)
      if (const std::string restriction = NamespaceRestriction(kind.flag); !restriction.empty())
        out += (out.empty() ? "" : ", ") + restriction;
  return out;
}

std::optional<Finding> Enter(int flags, const std::string& restrictions) {
  std::array<std::uint64_t, kKinds.size()> before{};
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if ((flags & kKinds[i].flag) == 0) continue;
    before[i] = NamespaceId(kKinds[i].id);
    if (before[i] == 0)
      return Finding::Missing(std::string("/proc/self/ns/") + kKinds[i].id + ": " + ErrnoText(errno),
                              "mount /proc, and a kernel with this namespace kind");
  }
  if (::unshare(flags) == 0) {
    // A new PID namespace has no id before its first child; every other one shows at once.
    for (std::size_t i = 0; i < kKinds.size(); ++i)
      if ((flags & kKinds[i].flag) != 0 && NamespaceId(kKinds[i].id) == before[i])
        return Finding::Missing("unshare claims success, but nothing changed",
                                "a system call filter outside answers for the kernel: allow unshare in it");
    return std::nullopt;
  }
  const int failure = errno;
  std::string detail = "unshare: " + ErrnoText(failure);
  if (!restrictions.empty()) detail += " (" + restrictions + ")";
  return Finding::Missing(std::move(detail), FixFor(flags, failure));
}

}  // namespace

std::optional<Finding> EnterNamespaces(int flags) { return Enter(flags, Restrictions(flags)); }

std::optional<Finding> EnterUserNamespace(int more_flags) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const std::string restrictions = Restrictions(more_flags);
  // After a change of uid the process is not dumpable, and its /proc/self/uid_map then belongs to root.
  ::prctl(PR_SET_DUMPABLE, 1);
  if (auto missing = EnterNamespaces(CLONE_NEWUSER)) return missing;
  const auto refuse = [&](const std::string& step, const std::string& why) {
    const std::string restriction = NamespaceRestriction(CLONE_NEWUSER);
    return Finding::Missing(
        "user namespace made, but it gives no rights: " + step + ": " + why +
            (restriction.empty() ? "" : " (" + restriction + ")"),
        restriction.empty() ? "a security module or seccomp profile forbids it: allow it for writ, or run as root"
                            : FixFor(CLONE_NEWUSER, EPERM));
  };
  if (auto why = WriteOnce("/proc/self/setgroups", "deny")) return refuse("setgroups", *why);
  if (auto why = WriteOnce("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1")) return refuse("uid_map", *why);
  if (auto why = WriteOnce("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1")) return refuse("gid_map", *why);
  if (more_flags != 0)
    if (auto missing = Enter(more_flags, restrictions)) return missing;
  return std::nullopt;
}

std::optional<Finding> EnterScratchTmpfs(const char* options) {
  if (auto missing = EnterNamespaces(CLONE_NEWNS)) return missing;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Finding::Missing("make mounts private: " + ErrnoText(errno), "allow mount in this container's profile");
  // Any directory will do: the mount is seen by this process only.
  for (const char* place : {"/tmp", "/run", "/usr", "/proc"}) {
    struct stat info;
    if (::stat(place, &info) != 0 || !S_ISDIR(info.st_mode)) continue;
    if (::mount("none", place, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
      return Finding::Missing(std::string("mount tmpfs: ") + ErrnoText(errno),
                              "a kernel with CONFIG_TMPFS, and mount allowed by the container's profile");
    if (::chdir(place) != 0) return Finding::Missing("enter tmpfs: " + ErrnoText(errno), "");
    return std::nullopt;
  }
  return Finding::Missing("no directory to mount on", "a root file system with /tmp");
}

Result<sys::UniqueFd> MakeMappedUserNamespace(unsigned base) {
  int up[2], down[2];
  if (::pipe2(up, O_CLOEXEC) != 0) return FailErrno("pipe");
  const sys::UniqueFd up_read(up[0]);
  sys::UniqueFd up_write(up[1]);
  if (::pipe2(down, O_CLOEXEC) != 0) return FailErrno("pipe");
  const sys::UniqueFd down_read(down[0]);
  sys::UniqueFd down_write(down[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return FailErrno("fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    down_write.Reset();
    const char code = ::unshare(CLONE_NEWUSER) == 0 ? 0 : static_cast<char>(errno);
    char byte = code;
    if (::write(up_write.get(), &byte, 1) != 1) ::_exit(1);
    // Waits for the end of file: the namespace has to live until it was opened.
    while (::read(down_read.get(), &byte, 1) > 0) {
    }
    ::_exit(0);
  }
  up_write.Reset();
  char code = 0;
  const ssize_t got = ::read(up_read.get(), &code, 1);
  const std::string proc = "/proc/" + std::to_string(pid);
  const std::string line = "0 " + std::to_string(base) + " 65536";
  Result<sys::UniqueFd> result = Fail(Code::kInternal, "child of the probe died");
  if (got == 1 && code != 0) {
    result = std::unexpected(ErrnoError(code, "unshare"));
  } else if (got == 1) {
    auto why = WriteOnce(proc + "/uid_map", line);
    if (!why) why = WriteOnce(proc + "/gid_map", line);
    sys::UniqueFd fd(::open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
    if (why)
      result = Fail(Code::kDenied, "map ids {}: {}", line, *why);
    else if (!fd.valid())
      result = FailErrno("open user namespace");
    else
      result = std::move(fd);
  }
  down_write.Reset();
  ::waitpid(pid, nullptr, 0);
  return result;
}

}  // namespace writ::isolation

#include "isolation/process/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "base/ids.h"

namespace writ::isolation::process {
namespace {

constexpr std::uint32_t kRangesMax = 4096;  // 0x70000000..0x80000000 in steps of 65536
constexpr const char* kClaimsPath = "/run/writ.ids";

Result<> WriteFile(const char* path, std::string_view text) {
  const sys::UniqueFd fd{::open(path, O_WRONLY | O_CLOEXEC)};
  if (!fd.valid()) return FailErrno(path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return FailErrno(path);
  return {};
}

bool HasSysAdmin() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  return (data[0].effective >> CAP_SYS_ADMIN & 1u) != 0;
}

struct SubRange {
  std::uint64_t start = 0, count = 0;
};

/// First range of at least kIdsPerCell ids that /etc/subuid or /etc/subgid gives to `user` (name or number).
/// Source: subuid(5).
std::optional<SubRange> FindSubRange(const char* path, std::string_view user, std::string_view number) {
  const sys::UniqueFd fd{::open(path, O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return std::nullopt;
  std::string text(1 << 16, '\0');
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view owner = line.substr(0, first);
    if (owner != number && (user.empty() || owner != user)) continue;
    SubRange range;
    range.start = std::strtoull(std::string(line.substr(first + 1, second - first - 1)).c_str(), nullptr, 10);
    range.count = std::strtoull(std::string(line.substr(second + 1)).c_str(), nullptr, 10);
    if (range.start != 0 && range.count >= kIdsPerCell && range.start + range.count <= UINT32_MAX) return range;
  }
  return std::nullopt;
}

/// The caller's name in /etc/passwd, or empty. Read directly: the program is static and has no name service.
std::string NameOf(uid_t uid) {
  const sys::UniqueFd fd{::open("/etc/passwd", O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return {};
  std::string text(1 << 18, '\0');
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got <= 0) return {};
  text.resize(static_cast<std::size_t>(got));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    char* stop = nullptr;
    const unsigned long id = std::strtoul(line.c_str() + second + 1, &stop, 10);
    if (stop != nullptr && *stop == ':' && id == uid) return line.substr(0, first);
  }
  return {};
}

/// Runs newuidmap or newgidmap for `pid`: id 0 inside is `own`, 1..65536 are the subordinate range.
bool RunMapper(const char* program, pid_t pid, unsigned own, const SubRange& range) {
  const std::string pid_text = std::to_string(pid), own_text = std::to_string(own),
                    start = std::to_string(range.start), count = std::to_string(kIdsPerCell);
  const char* argv[] = {program, pid_text.c_str(), "0", own_text.c_str(), "1",
                        "1",     start.c_str(),    count.c_str(), nullptr};
  const char* env[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin", nullptr};
  const pid_t child = ::fork();
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    for (const char* directory : {"/usr/bin/", "/bin/"}) {
      const std::string path = std::string(directory) + program;
      ::execve(path.c_str(), const_cast<char**>(argv), const_cast<char**>(env));
    }
    ::_exit(127);
  }
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

/// A process outside the new user namespace maps `self` with the subordinate ranges. Tells by its exit code.
pid_t StartMapper(pid_t self, uid_t uid, gid_t gid, const SubRange& uids, const SubRange& gids, int go) {
  const pid_t mapper = ::fork();
  if (mapper != 0) return mapper;
  char byte = 0;
  const bool told = ::read(go, &byte, 1) == 1;
  ::_exit(told && RunMapper("newuidmap", self, uid, uids) && RunMapper("newgidmap", self, gid, gids) ? 0 : 1);
}

/// Enters a user namespace in which the subordinate ranges are mapped. False: not possible here.
Result<bool> EnterWithSubordinateIds(uid_t uid, gid_t gid) {
  const std::string number = std::to_string(uid), name = NameOf(uid);
  const auto uids = FindSubRange("/etc/subuid", name, number), gids = FindSubRange("/etc/subgid", name, number);
  const auto present = [](const char* path) { return ::access(path, X_OK) == 0; };
  if (!uids || !gids || !present("/usr/bin/newuidmap") || !present("/usr/bin/newgidmap")) return false;
  int go[2];
  if (::pipe2(go, O_CLOEXEC) != 0) return FailErrno("pipe");
  const sys::UniqueFd read_end{go[0]};
  sys::UniqueFd write_end{go[1]};
  const pid_t mapper = StartMapper(::getpid(), uid, gid, *uids, *gids, go[0]);
  if (mapper < 0) return FailErrno("fork");
  const bool entered = ::unshare(CLONE_NEWUSER) == 0;
  const int unshare_errno = errno;
  if (entered && ::write(write_end.get(), "g", 1) != 1) return FailErrno("pipe");
  write_end.Reset();
  int status = -1;
  if (::waitpid(mapper, &status, 0) != mapper) return FailErrno("wait for newuidmap");
  errno = unshare_errno;
  if (!entered) return FailErrno("unshare user namespace");
  if (status != 0) return Fail(Code::kUnavailable, "newuidmap or newgidmap refused the ranges of /etc/subuid and /etc/subgid");
  return true;
}

Result<> EnterAlone(uid_t uid, gid_t gid) {
  if (::unshare(CLONE_NEWUSER) != 0) {
    const Error error = ErrnoError(errno, "unshare user namespace");
    return Fail(Code::kUnavailable, "{}: unprivileged user namespaces are off here; `writ doctor` says which setting", error.what);
  }
  WRIT_TRY("deny setgroups", WriteFile("/proc/self/setgroups", "deny"));
  WRIT_TRY("map user id", WriteFile("/proc/self/uid_map", fmt::format("0 {} 1", uid)));
  WRIT_TRY("map group id", WriteFile("/proc/self/gid_map", fmt::format("0 {} 1", gid)));
  return {};
}

std::string MapAround(unsigned guest_outside, unsigned first_outside) {
  return fmt::format("0 {} {}\n{} {} 1\n{} {} {}", first_outside, kGuestId, kGuestId, guest_outside, kGuestId + 1,
                     first_outside + kGuestId, kIdsPerCell - kGuestId - 1);
}

}  // namespace

Result<Identity> Identity::Enter(std::uint32_t id_base) {
  Identity identity;
  identity.id_base_ = id_base;
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (uid == 0 && HasSysAdmin()) {
    identity.kind_ = Kind::kOwnRanges;
    if (::setgroups(0, nullptr) != 0) return FailErrno("drop supplementary groups");
    identity.groups_ = "dropped";
    return identity;
  }
  if (uid == 0)
    return Fail(Code::kUnavailable,
                "started by root without CAP_SYS_ADMIN: a guest would be root outside; run as an ordinary user, or give "
                "the container that capability");
  std::vector<gid_t> groups(65536);
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  if (count < 0) return FailErrno("getgroups");
  const bool others = count > 1 || (count == 1 && groups[0] != gid);
  if (WRIT_TRY("map subordinate ids", EnterWithSubordinateIds(uid, gid))) {
    identity.kind_ = Kind::kSubordinate;
    if (::setgroups(0, nullptr) != 0) return FailErrno("drop supplementary groups");
    identity.groups_ = "dropped";
    return identity;
  }
  WRIT_TRY("enter a user namespace", EnterAlone(uid, gid));
  identity.kind_ = Kind::kSingle;
  identity.groups_ = others ? "kept" : "none";
  return identity;
}

Result<CellIds> Identity::Claim() const {
  CellIds ids;
  switch (kind_) {
    case Kind::kSingle:
      ids.uid_map = ids.gid_map = fmt::format("{} 0 1", kGuestId);
      ids.deny_setgroups = true;
      return ids;
    case Kind::kSubordinate:
      ids.uid_map = ids.gid_map = MapAround(0, 1);
      ids.whole_range = true;
      return ids;
    case Kind::kOwnRanges:
      break;
  }
  // One byte of the file per range, held by a lock that the kernel drops with the descriptor.
  sys::UniqueFd claims{::open(kClaimsPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!claims.valid()) return FailErrno(kClaimsPath);
  std::array<std::uint8_t, 4> random{};
  FillRandom(random);
  const std::uint32_t start = (random[0] | std::uint32_t{random[1]} << 8) % kRangesMax;
  for (std::uint32_t i = 0; i < kRangesMax; ++i) {
    const std::uint32_t slot = (start + i) % kRangesMax;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = slot;
    lock.l_len = 1;
    if (::fcntl(claims.get(), F_OFD_SETLK, &lock) != 0) {
      if (errno == EAGAIN || errno == EACCES) continue;
      return FailErrno("lock an id range");
    }
    ids.base = id_base_ + slot * kIdsPerCell;
    ids.uid_map = ids.gid_map = fmt::format("0 {} {}", ids.base, kIdsPerCell);
    ids.whole_range = true;
    ids.claim = std::move(claims);
    return ids;
  }
  return Fail(Code::kExhausted, "all {} id ranges from {} on are in use", kRangesMax, id_base_);
}

}  // namespace writ::isolation::process

#include "sys/mount_api.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace writ::sys {
namespace {

constexpr unsigned kFsconfigSetFlag = 0, kFsconfigSetString = 1, kFsconfigCmdCreate = 6, kFsconfigCmdReconfigure = 7;

unsigned AttributeBits(MountFlags flags) {
  return (flags.read_only ? MOUNT_ATTR_RDONLY : 0u) | (flags.no_suid ? MOUNT_ATTR_NOSUID : 0u) |
         (flags.no_dev ? MOUNT_ATTR_NODEV : 0u) | (flags.no_exec ? MOUNT_ATTR_NOEXEC : 0u);
}

/// The kernel explains a refused option on the context's descriptor; the last line is the reason.
std::string KernelSays(int context) {
  char text[256];
  std::string last;
  for (ssize_t got; (got = ::read(context, text, sizeof text)) > 0;) last.assign(text, static_cast<std::size_t>(got));
  return last.empty() ? last : " (" + last + ")";
}

/// Gives "a=b,c" to a file system context, option by option.
Result<> SetOptions(const UniqueFd& context, std::string_view options) {
  while (!options.empty()) {
    const std::string option(options.substr(0, options.find(',')));
    options.remove_prefix(std::min(options.size(), option.size() + 1));
    const std::size_t equals = option.find('=');
    const std::string key = option.substr(0, equals);
    const long set = equals == std::string::npos
                         ? ::syscall(SYS_fsconfig, context.get(), kFsconfigSetFlag, key.c_str(), nullptr, 0)
                         : ::syscall(SYS_fsconfig, context.get(), kFsconfigSetString, key.c_str(),
                                     option.c_str() + equals + 1, 0);
    if (set != 0) {
      const Error error = ErrnoError(errno, fmt::format("option \"{}\"", option));
      return std::unexpected(Error{error.code, error.what + KernelSays(context.get())});
    }
  }
  return {};
}

}  // namespace

Result<UniqueFd> CloneMount(int directory, const char* path, bool recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | (*path == '\0' ? AT_EMPTY_PATH : 0u) |
                         (recursive ? unsigned{AT_RECURSIVE} : 0u);
  const long fd = ::syscall(SYS_open_tree, directory, path, flags);
  if (fd < 0) return FailErrno(fmt::format("open_tree \"{}\"", path));
  return UniqueFd{static_cast<int>(fd)};
}

Result<> AttachMount(const UniqueFd& mount, int directory, const char* path) {
  const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path == '\0' ? unsigned{MOVE_MOUNT_T_EMPTY_PATH} : 0u);
  if (::syscall(SYS_move_mount, mount.get(), "", directory, path, flags) != 0)
    return FailErrno(fmt::format("move_mount to \"{}\"", path));
  return {};
}

Result<> BindMount(const char* from, const char* to) {
  if (::syscall(SYS_mount, from, to, nullptr, MS_BIND, nullptr) != 0) return FailErrno(fmt::format("bind {} to {}", from, to));
  return {};
}

Result<> RestrictMount(const UniqueFd& mount, MountFlags flags, bool recursive) {
  mount_attr attributes{};
  attributes.attr_set = AttributeBits(flags);
  if (::syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes,
                sizeof attributes) != 0)
    return FailErrno("mount_setattr");
  return {};
}

Result<> MapMountIds(const UniqueFd& mount, const UniqueFd& userns) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(userns.get());
  if (::syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return FailErrno("mount_setattr with id mapping");
  return {};
}

Result<UniqueFd> NewMount(const char* type, std::string_view options, MountFlags flags) {
  const UniqueFd context{static_cast<int>(::syscall(SYS_fsopen, type, 1 /* FSOPEN_CLOEXEC */))};
  if (!context.valid()) return FailErrno(fmt::format("fsopen {}", type));
  WRIT_TRY(type, SetOptions(context, options));
  if (::syscall(SYS_fsconfig, context.get(), kFsconfigCmdCreate, nullptr, nullptr, 0) != 0) {
    const Error error = ErrnoError(errno, fmt::format("create {}", type));
    return std::unexpected(Error{error.code, error.what + KernelSays(context.get())});
  }
  const long mount = ::syscall(SYS_fsmount, context.get(), 1 /* FSMOUNT_CLOEXEC */, AttributeBits(flags));
  if (mount < 0) return FailErrno(fmt::format("fsmount {}", type));
  return UniqueFd{static_cast<int>(mount)};
}

Result<> ReconfigureMount(const UniqueFd& mount, std::string_view options) {
  const UniqueFd context{static_cast<int>(
      ::syscall(SYS_fspick, mount.get(), "", 9 /* FSPICK_CLOEXEC | FSPICK_EMPTY_PATH */))};
  if (!context.valid()) return FailErrno("fspick");
  WRIT_TRY("reconfigure", SetOptions(context, options));
  if (::syscall(SYS_fsconfig, context.get(), kFsconfigCmdReconfigure, nullptr, nullptr, 0) != 0) {
    const Error error = ErrnoError(errno, "reconfigure");
    return std::unexpected(Error{error.code, error.what + KernelSays(context.get())});
  }
  return {};
}

}  // namespace writ::sys

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "isolation/probe/probe_runner.h"
#include "sys/unique_fd.h"

namespace writ::isolation {

/// For probe bodies (single-threaded children): leaves for a new user namespace in which the caller is root, and
/// for the namespaces of `more_flags` (CLONE_NEW*) owned by it. nullopt on success, else the missing finding with
/// the setting that forbids it.
std::optional<Finding> EnterUserNamespace(int more_flags);

/// Leaves for the namespaces of `flags` (CLONE_NEW*) with the rights the caller has. As above. Success means that the
/// ids in /proc/self/ns were seen to change: what follows mounts, renames the host and writes firewall rules, which a
/// filter that answers unshare(2) with a lie must never turn against the host itself.
std::optional<Finding> EnterNamespaces(int flags);

/// Leaves for a mount namespace of its own, makes all mounts in it private and puts an empty tmpfs (`options`, for
/// example "size=1m") where the working directory then is. nullopt on success.
std::optional<Finding> EnterScratchTmpfs(const char* options);

/// A user namespace in which ids 0..65535 are `base`..base+65535, kept alive by the descriptor. Needs root.
Result<sys::UniqueFd> MakeMappedUserNamespace(unsigned base);

/// Id of /proc/self/ns/KIND; 0 when it cannot be seen.
std::uint64_t NamespaceId(const char* kind);

/// What restricts namespaces here, read from the settings themselves: "kernel.unprivileged_userns_clone=0",
/// empty when no known setting does.
std::string NamespaceRestriction(int flag);

/// First value of a file below /proc/sys, empty when it does not exist: Sysctl("user/max_net_namespaces").
std::string Sysctl(const std::string& name);

/// Writes all of `text` with one write(2); errno text on failure, nullopt on success.
std::optional<std::string> WriteOnce(const std::string& path, std::string_view text);

/// At most 64 KiB of a file; empty when it cannot be read.
std::string ReadSmall(const std::string& path);

}  // namespace writ::isolation

#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// What a guest may do beneath a directory. What no place grants is refused.
struct LandlockPlace {
  enum class Use : std::uint8_t {
    kRead,     ///< list, read, execute
    kDevices,  ///< also write and control devices, but make nothing
    kWrite     ///< everything but making device nodes
  };
  const char* path = nullptr;  ///< absolute; a place that does not exist grants nothing
  Use use = Use::kRead;
};

/// A rule set that waits for landlock_restrict_self(2).
struct Landlock {
  sys::UniqueFd ruleset;
  int abi = 0;  ///< of the kernel, at most the newest known here; named in the receipt
};

/// The newest version of the interface whose rights are used here.
constexpr int kLandlockAbiKnown = 7;

/// Version of the kernel's interface. Errors: kUnavailable when the kernel has none or it is switched off.
Result<int> LandlockAbi();

/// The places of a cell: all readable, /work /tmp /out /dev/shm writable, device nodes usable.
std::span<const LandlockPlace> CellPlaces();

/// Makes a rule set with everything the kernel can refuse: file rights of `abi` (2: renames between directories, 3:
/// truncation, 5: device control) and, from 6 on, signals and abstract sockets out of the guest. Network rights are
/// left alone: the network namespace decides those.
/// A second wall behind the mounts: it holds by itself even where a mount is missing or an inherited descriptor shows
/// a directory that the mounts do not.
/// Precondition: every mount the guest will see is in place; a rule binds to the directory that is visible when it is
/// made, so what is mounted over it later grants nothing.
/// Errors: kUnavailable as LandlockAbi(); others when a rule cannot be made.
/// Source: landlock(7), Linux Documentation/userspace-api/landlock.rst.
Result<Landlock> PrepareLandlock(std::span<const LandlockPlace> places = CellPlaces());

/// Restricts the calling thread and what it starts, for ever. Precondition: no_new_privs. No allocation unless it
/// fails.
Result<> EnforceLandlock(const Landlock& landlock);

}  // namespace writ::isolation::process

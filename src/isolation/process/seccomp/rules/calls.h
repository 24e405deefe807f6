#pragma once

#include <sched.h>

#include <cstdint>

namespace writ::seccomp {

/// Every namespace clone(2) can make. CLONE_NEWTIME is absent on purpose: its bit is part of the exit signal there.
inline constexpr std::uint32_t kCloneNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                                  CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

/// The bits of socket(2)'s type that are not SOCK_NONBLOCK or SOCK_CLOEXEC.
inline constexpr std::uint32_t kSocketTypeMask = 0xf;

}  // namespace writ::seccomp

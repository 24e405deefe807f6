#pragma once

#include <linux/filter.h>

#include <span>

#include "base/error.h"

namespace writ::seccomp {

/// The compiled policy for jailed programs. Generated at build time for the target architecture, embedded, never
/// freed.
std::span<const sock_filter> GuestFilter();

/// The compiled policy for `writ` itself after its privileged helper runs: files, local sockets and threads, but no
/// new processes, no programs, no namespaces, no memory that is writable and executable.
std::span<const sock_filter> ClientFilter();
/// The same for a run that lets `writ` open connections: TCP and UDP besides local sockets.
std::span<const sock_filter> NetworkClientFilter();

/// Confines every thread of the calling process, and all its future children, for ever. Filters add up: the
/// strictest answer wins. No allocation unless it fails.
/// Precondition: no_new_privs is set (PR_SET_NO_NEW_PRIVS).
/// Errors: kInvalid for an empty or oversized program; kDenied without no_new_privs; kUnavailable when the kernel
/// has no seccomp filters or another thread runs under a filter of its own.
/// Source: seccomp(2), SECCOMP_SET_MODE_FILTER and SECCOMP_FILTER_FLAG_TSYNC.
Result<> InstallFilter(std::span<const sock_filter> program);

}  // namespace writ::seccomp

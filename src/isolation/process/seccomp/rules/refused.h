#pragma once

#include <cerrno>

#include "isolation/process/seccomp/rule.h"

namespace writ::seccomp {

/// Calls that nobody inside a cell has any business making. Most need a capability that nobody there has; they are
/// refused here as well so that a kernel bug behind one of them stays out of reach. EPERM is what an unprivileged
/// program would see; ENOSYS stands where programs have a fallback for old kernels.
inline constexpr Rule kRefused[] = {
    // Asynchronous calls that the filter would never see.
    {"io_uring_setup", Answer(ENOSYS), Always(), "performs files and sockets work around this filter"},
    {"io_uring_enter", Answer(ENOSYS), Always(), "performs files and sockets work around this filter"},
    {"io_uring_register", Answer(ENOSYS), Always(), "performs files and sockets work around this filter"},
    // Namespaces.
    {"clone3", Answer(ENOSYS), Always(), "its flags lie in memory where a filter cannot read; clone is the fallback"},
    {"setns", Answer(EPERM), Always(), "enters other namespaces"},
    // Mounts and roots.
    {"mount", Answer(EPERM), Always(), "changes what the cell sees"},
    {"umount2", Answer(EPERM), Always(), "uncovers what a mount hides"},
    {"pivot_root", Answer(EPERM), Always(), "changes the root"},
    {"chroot", Answer(EPERM), Always(), "a classic way out of a root"},
    {"fsopen", Answer(EPERM), Always(), "mount API"},
    {"fsconfig", Answer(EPERM), Always(), "mount API"},
    {"fsmount", Answer(EPERM), Always(), "mount API"},
    {"fspick", Answer(EPERM), Always(), "mount API"},
    {"move_mount", Answer(EPERM), Always(), "mount API"},
    {"open_tree", Answer(EPERM), Always(), "mount API; a detached copy escapes the mounts above it"},
    {"mount_setattr", Answer(EPERM), Always(), "mount API; would make read-only mounts writable"},
    {"open_by_handle_at", Answer(EPERM), Always(), "opens files of the whole file system, not only of the mount"},
    {"name_to_handle_at", Answer(EPERM), Always(), "shows inode handles and mount ids of the host"},
    {"quotactl", Answer(EPERM), Always(), "administration of host file systems"},
    {"quotactl_fd", Answer(EPERM), Always(), "administration of host file systems"},
    {"swapon", Answer(EPERM), Always(), "administration of the host"},
    {"swapoff", Answer(EPERM), Always(), "administration of the host"},
    {"acct", Answer(EPERM), Always(), "administration of the host"},
    {"fanotify_init", Answer(EPERM), Always(), "watches whole file systems"},
    {"fanotify_mark", Answer(EPERM), Always(), "watches whole file systems"},
    {"lookup_dcookie", Answer(EPERM), Always(), "turns profiler cookies into host paths"},
    {"nfsservctl", Answer(EPERM), Always(), "administration of the host"},
    // Other processes.
    {"ptrace", Answer(EPERM), Always(), "reads and drives other processes"},
    {"process_vm_readv", Answer(EPERM), Always(), "reads other processes"},
    {"process_vm_writev", Answer(EPERM), Always(), "writes other processes"},
    {"process_madvise", Answer(EPERM), Always(), "acts on other processes' memory"},
    {"process_mrelease", Answer(EPERM), Always(), "acts on other processes' memory"},
    {"pidfd_getfd", Answer(EPERM), Always(), "takes descriptors out of other processes"},
    {"kcmp", Answer(EPERM), Always(), "compares kernel objects of other processes, which shows kernel addresses' order"},
    {"migrate_pages", Answer(EPERM), Always(), "moves other processes' memory"},
    {"move_pages", Answer(EPERM), Always(), "moves other processes' memory and tells where pages lie"},
    // Keys, programs in the kernel, tracing.
    {"add_key", Answer(EPERM), Always(), "keyrings are shared beyond the cell's namespaces"},
    {"request_key", Answer(EPERM), Always(), "keyrings; may start a program of the host"},
    {"keyctl", Answer(EPERM), Always(), "keyrings are shared beyond the cell's namespaces"},
    {"bpf", Answer(EPERM), Always(), "loads programs into the kernel"},
    {"perf_event_open", Answer(EPERM), Always(), "observes the machine; large kernel surface"},
    {"userfaultfd", Answer(EPERM), Always(), "stops the kernel in the middle of a copy, which turns races into exploits"},
    {"memfd_secret", Answer(EPERM), Always(), "memory that cannot be inspected or reclaimed"},
    // The kernel itself and the machine.
    {"kexec_load", Answer(EPERM), Always(), "replaces the kernel"},
    {"kexec_file_load", Answer(EPERM), Always(), "replaces the kernel"},
    {"init_module", Answer(EPERM), Always(), "loads kernel code"},
    {"finit_module", Answer(EPERM), Always(), "loads kernel code"},
    {"delete_module", Answer(EPERM), Always(), "unloads kernel code"},
    {"reboot", Answer(EPERM), Always(), "stops the machine"},
    {"syslog", Answer(EPERM), Always(), "reads and clears the kernel log"},
    {"iopl", Answer(EPERM), Always(), "hardware ports"},
    {"ioperm", Answer(EPERM), Always(), "hardware ports"},
    {"modify_ldt", Answer(ENOSYS), Always(), "segments for 16-bit code, a rich source of kernel bugs"},
    {"vhangup", Answer(EPERM), Always(), "hangs up a terminal"},
    {"settimeofday", Answer(EPERM), Always(), "sets the host's clock"},
    {"clock_settime", Answer(EPERM), Always(), "sets the host's clock"},
    {"adjtimex", Answer(EPERM), Always(), "steers the host's clock"},
    {"clock_adjtime", Answer(EPERM), Always(), "steers the host's clock"},
    {"sethostname", Answer(EPERM), Always(), "the cell's name is fixed"},
    {"setdomainname", Answer(EPERM), Always(), "the cell's name is fixed"},
};

}  // namespace writ::seccomp

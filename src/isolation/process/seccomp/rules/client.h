#pragma once

#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "isolation/process/seccomp/rule.h"
#include "isolation/process/seccomp/rules/calls.h"

namespace writ::seccomp {

/// What only `writ` itself needs, or needs in a narrower form than a guest: it reads hostile bytes all day, so
/// that whoever takes it over must not find processes, programs, other processes or new code within reach.
inline constexpr Rule kClientOnly[] = {
    {"clone", Answer(EPERM), Int(0).HasAny(kCloneNamespaces), "namespaces are the helper's business"},
    {"clone", kAllow, Int(0).HasAny(CLONE_THREAD), "threads"},
    {"clone", Answer(EPERM), Always(), "no new processes once the helper runs"},
    {"fork", Answer(EPERM), Always(), "no new processes once the helper runs"},
    {"vfork", Answer(EPERM), Always(), "no new processes once the helper runs"},
    {"execve", Answer(EPERM), Always(), "no programs once the helper runs"},
    {"execveat", Answer(EPERM), Always(), "no programs once the helper runs"},
    {"unshare", Answer(EPERM), Always(), "namespaces are the helper's business"},
    {"wait4", kAllow, Always(), "the helper is a child"},
    {"waitid", kAllow, Always(), "the helper is a child"},
    {"mmap", Answer(EPERM), {Int(2).HasAny(PROT_WRITE), Int(2).HasAny(PROT_EXEC)}, "no memory both writable and executable"},
    {"mmap", kAllow, Always(), "memory and files; shared objects are mapped from files"},
    {"mprotect", Answer(EPERM), Int(2).HasAny(PROT_EXEC), "no memory becomes code"},
    {"mprotect", kAllow, Always(), "rights of memory"},
    {"pkey_mprotect", Answer(EPERM), Int(2).HasAny(PROT_EXEC), "no memory becomes code"},
    {"pkey_mprotect", kAllow, Always(), "rights of memory"},
    {"memfd_create", kAllow, Always(), "scratch files without a name; execve is refused"},
    {"prlimit64", kAllow, Always(), "hard limits can only be lowered"},
    {"prctl", kAllow, Int(0).Is(PR_SET_NAME), "name of a thread"},
    {"prctl", kAllow, Int(0).Is(PR_GET_NAME), "name of a thread"},
    {"prctl", kAllow, Int(0).Is(0x53564d41), "PR_SET_VMA: the allocator names its memory"},
    {"prctl", kAllow, Int(0).Is(PR_GET_DUMPABLE), "whether the caller may be inspected"},
    {"prctl", kAllow, {Int(0).Is(PR_SET_DUMPABLE), Int(1).Is(0)}, "may only be switched off"},
    {"prctl", kAllow, Int(0).Is(PR_SET_PDEATHSIG), "signal when the parent ends"},
    {"prctl", kAllow, Int(0).Is(PR_SET_NO_NEW_PRIVS), "cannot be cleared"},
    {"prctl", kAllow, Int(0).Is(PR_GET_NO_NEW_PRIVS), "reads the flag"},
    {"prctl", kAllow, Int(0).Is(PR_GET_SECCOMP), "asks whether a filter is there"},
    {"prctl", Answer(EINVAL), Always(), "operations not named here are not needed"},
    {"seccomp", kAllow, Always(), "filters add up; the strictest answer wins"},
    {"arch_prctl", kAllow, Always(), "thread pointer of a thread"},
    {"mknod", Answer(EPERM), Always(), "makes no special files"},
    {"mknodat", Answer(EPERM), Always(), "makes no special files"},
    {"renameat2", kAllow, Always(), "atomic replacement in the store"},
    {"syncfs", kAllow, Always(), "durability of the store"},
    {"fchownat", kAllow, Always(), "outputs belong to the caller; without capabilities only to own groups"},
    {"ioctl", kAllow, Int(1).Is(TCGETS), "whether a descriptor is a terminal"},
    {"ioctl", kAllow, Int(1).Is(TCSETS), "raw mode of the caller's terminal"},
    {"ioctl", kAllow, Int(1).Is(TCSETSW), "raw mode of the caller's terminal"},
    {"ioctl", kAllow, Int(1).Is(TCSETSF), "raw mode of the caller's terminal"},
    {"ioctl", kAllow, Int(1).Is(TIOCGWINSZ), "size of the caller's terminal"},
    {"ioctl", kAllow, Int(1).Is(TIOCSWINSZ), "size of the guest's terminal"},
    {"ioctl", kAllow, Int(1).Is(TIOCGPGRP), "whether the caller is in the foreground"},
    {"ioctl", kAllow, Int(1).Is(FIONREAD), "bytes that wait in a pipe"},
    {"ioctl", kAllow, Int(1).Is(FIONBIO), "non-blocking mode"},
    {"ioctl", kAllow, Int(1).Is(FICLONE), "copies into the store by sharing blocks"},
    {"ioctl", Answer(ENOTTY), Always(), "requests not named here are not needed"},
    {"socket", kAllow, Int(0).Is(AF_UNIX), "the session bus and the helper"},
    {"socket", Answer(EAFNOSUPPORT), Always(), "a local run opens no network connection"},
    {"socketpair", kAllow, Int(0).Is(AF_UNIX), "local sockets"},
    {"socketpair", Answer(EOPNOTSUPP), Always(), "only local sockets come in pairs"},
    {"setsockopt", kAllow, Int(1).Is(SOL_SOCKET), "buffers, credentials and time limits of local sockets"},
    {"setsockopt", Answer(ENOPROTOOPT), Always(), "no network sockets"},
    {"getsockopt", kAllow, Always(), "options of an open socket"},
    {"getsockname", kAllow, Always(), "an open socket"},
    {"getpeername", kAllow, Always(), "an open socket"},
    {"bind", kAllow, Always(), "local sockets"},
    {"listen", kAllow, Always(), "local sockets"},
    {"accept4", kAllow, Always(), "local sockets"},
    {"connect", kAllow, Always(), "local sockets"},
    {"shutdown", kAllow, Always(), "an open socket"},
    {"sendto", kAllow, Always(), "an open socket"},
    {"sendmsg", kAllow, Always(), "an open socket; descriptors travel with it"},
    {"recvfrom", kAllow, Always(), "an open socket"},
    {"recvmsg", kAllow, Always(), "an open socket; descriptors travel with it"},
};

}  // namespace writ::seccomp

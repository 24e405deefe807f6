#pragma once

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>

#include "isolation/process/seccomp/rule.h"

namespace writ::seccomp {

inline constexpr std::uint32_t kIoctlFamily = 0xff00;  ///< the driver letter in an ioctl request

/// Calls that reach drivers, make special files or change whole file systems.
/// ioctl's request is an unsigned int in the kernel: only its low half is looked at. Admitted are the letters of
/// terminals and sockets, the only drivers in a cell, and single requests for files; anything else gets what a
/// missing driver would say.
inline constexpr Rule kGuestDevices[] = {
    {"ioctl", Answer(EPERM), Int(1).Is(TIOCSTI), "types into the terminal of whoever reads it next"},
    {"ioctl", Answer(EPERM), Int(1).Is(TIOCLINUX), "pastes into and draws on the virtual console"},
    {"ioctl", Answer(EPERM), Int(1).Is(TIOCCONS), "diverts the kernel's console"},
    {"ioctl", Answer(EPERM), Int(1).Is(TIOCSETD), "loads line disciplines, a rich source of kernel bugs"},
    {"ioctl", Answer(EPERM), Int(1).Is(TIOCVHANGUP), "hangs up a terminal"},
    {"ioctl", Answer(EPERM), Int(1).Is(TIOCSLCKTRMIOS), "locks a terminal's settings"},
    {"ioctl", Answer(EPERM), Int(1).Is(TIOCSSERIAL), "ports of serial hardware"},
    {"ioctl", Answer(ENOTTY), Int(1).Under(0xffc0).Is(0x54c0), "network tunnels share the terminals' letter"},
    {"ioctl", kAllow, Int(1).Under(kIoctlFamily).Is('T' << 8), "terminals, pipes and descriptor flags"},
    {"ioctl", kAllow, Int(1).Under(kIoctlFamily).Is(0x8900), "sockets: addresses and interfaces of the cell's network"},
    {"ioctl", kAllow, Int(1).Is(FS_IOC_GETFLAGS), "flags of files"},
    {"ioctl", kAllow, Int(1).Is(FS_IOC_SETFLAGS), "flags of files; the dangerous ones need capabilities"},
    {"ioctl", kAllow, Int(1).Is(FS_IOC_FIEMAP), "holes of files, for cp and tar"},
    {"ioctl", kAllow, Int(1).Is(FS_IOC_GETVERSION), "version numbers of files"},
    {"ioctl", kAllow, Int(1).Is(FS_IOC_FSGETXATTR), "attributes of files"},
    {"ioctl", kAllow, Int(1).Is(FS_IOC_FSSETXATTR), "attributes of files"},
    {"ioctl", kAllow, Int(1).Is(FICLONE), "copies by sharing blocks"},
    {"ioctl", kAllow, Int(1).Is(FICLONERANGE), "copies by sharing blocks"},
    {"ioctl", kAllow, Int(1).Is(FIGETBSZ), "block size of a file system"},
    {"ioctl", kAllow, Int(1).Is(0x80045200), "RNDGETENTCNT: how much randomness there is"},
    {"ioctl", Answer(ENOTTY), Always(), "no such driver in a cell"},
    {"mknod", Answer(EPERM), Int(1).Under(S_IFMT).Is(S_IFCHR), "devices; 0:0 would forge a deletion mark of an overlay"},
    {"mknod", Answer(EPERM), Int(1).Under(S_IFMT).Is(S_IFBLK), "devices"},
    {"mknod", kAllow, Always(), "plain files, pipes and sockets"},
    {"mknodat", Answer(EPERM), Int(2).Under(S_IFMT).Is(S_IFCHR), "devices; 0:0 would forge a deletion mark of an overlay"},
    {"mknodat", Answer(EPERM), Int(2).Under(S_IFMT).Is(S_IFBLK), "devices"},
    {"mknodat", kAllow, Always(), "plain files, pipes and sockets"},
    {"renameat2", Answer(EINVAL), Int(4).HasAny(RENAME_WHITEOUT), "forges a deletion mark of an overlay"},
    {"renameat2", kAllow, Always(), "the mounts decide what may be written"},
    {"chown", kAllow, Always(), "owner, only within the ids the caller is mapped to"},
    {"lchown", kAllow, Always(), "owner, only within the ids the caller is mapped to"},
    {"fchownat", kAllow, Always(), "owner, only within the ids the caller is mapped to"},
    {"setxattr", kAllow, Always(), "extended attributes of the user's own files"},
    {"lsetxattr", kAllow, Always(), "extended attributes of the user's own files"},
    {"fsetxattr", kAllow, Always(), "extended attributes of the user's own files"},
    {"removexattr", kAllow, Always(), "extended attributes of the user's own files"},
    {"lremovexattr", kAllow, Always(), "extended attributes of the user's own files"},
    {"fremovexattr", kAllow, Always(), "extended attributes of the user's own files"},
    {"sync", Answer(0), Always(), "nothing: writable places are memory, and the call would flush every disk of the host"},
    {"syncfs", Answer(0), Always(), "nothing: it would flush a whole file system of the host"},
    {"inotify_init", kAllow, Always(), "changes of files that can be seen"},
    {"inotify_init1", kAllow, Always(), "changes of files that can be seen"},
    {"inotify_add_watch", kAllow, Always(), "changes of files that can be seen"},
    {"inotify_rm_watch", kAllow, Always(), "changes of files that can be seen"},
    {"tee", kAllow, Always(), "copies between pipes"},
    {"vmsplice", kAllow, Always(), "lends own memory to a pipe"},
    {"io_setup", kAllow, Always(), "asynchronous reads and writes of open files, a fixed small set of operations"},
    {"io_destroy", kAllow, Always(), "asynchronous reads and writes of open files"},
    {"io_submit", kAllow, Always(), "asynchronous reads and writes of open files"},
    {"io_getevents", kAllow, Always(), "asynchronous reads and writes of open files"},
    {"io_pgetevents", kAllow, Always(), "asynchronous reads and writes of open files"},
    {"io_cancel", kAllow, Always(), "asynchronous reads and writes of open files"},
};

}  // namespace writ::seccomp

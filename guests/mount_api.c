// Tries everything that changes what is mounted, where the root is, or that opens files past the mounts.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "attempt.h"

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

int main(void) {
  mkdir("/tmp/here", 0755);
  Attempt("mount-tmpfs", mount("none", "/tmp/here", "tmpfs", 0, NULL));
  Attempt("mount-proc", mount("none", "/tmp/here", "proc", 0, NULL));
  Attempt("mount-bind-root", mount("/", "/tmp/here", NULL, MS_BIND | MS_REC, NULL));
  Attempt("remount-root-writable", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
  Attempt("remount-usr-writable", mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
  Attempt("make-root-shared", mount(NULL, "/", NULL, MS_SHARED, NULL));
  Attempt("umount-proc", umount2("/proc", MNT_DETACH));
  Attempt("umount-dev-null", umount2("/dev/null", MNT_DETACH));
  Attempt("pivot_root", syscall(SYS_pivot_root, "/tmp/here", "/tmp/here"));
  Attempt("chroot", chroot("/tmp/here"));
  Attempt("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  Attempt("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
  Attempt("fsconfig", syscall(SYS_fsconfig, 0, 6, NULL, NULL, 0));
  Attempt("fsmount", syscall(SYS_fsmount, 0, 0, 0));
  Attempt("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 0));
  Attempt("open_tree-clone", syscall(SYS_open_tree, AT_FDCWD, "/", 0x8001));
  Attempt("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/tmp/here", 0));
  unsigned long long attributes[4] = {0, 1, 0, 0};  // clear MOUNT_ATTR_RDONLY
  Attempt("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, attributes, sizeof attributes));
  unsigned int handle[34] = {128};
  int mount_id = 0;
  Attempt("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/usr", handle, &mount_id, 0));
  unsigned int forged[4] = {8, 1, 2, 0};  // inode 2: the root of the file system that /usr lies on
  const int directory = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Attempt("open_by_handle_at", syscall(SYS_open_by_handle_at, directory, forged, O_RDONLY));
  rmdir("/tmp/here");
  return Verdict();
}

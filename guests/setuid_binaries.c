// Gains rights by programs with set-user-id bits: the system's, and a copy of itself.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "attempt.h"

static const char* const kUsual[] = {"/usr/bin/su",      "/usr/bin/passwd", "/usr/bin/mount",  "/usr/bin/umount", "/usr/bin/sudo",
                                     "/usr/bin/newgrp",  "/usr/bin/chsh",   "/usr/bin/chfn",   "/usr/bin/gpasswd", "/usr/bin/pkexec",
                                     "/usr/bin/newuidmap", "/usr/bin/newgidmap", "/usr/bin/fusermount3", "/bin/su",
                                     "/usr/lib/openssh/ssh-keysign", "/usr/lib/dbus-1.0/dbus-daemon-launch-helper"};

static int CopySelf(const char* to) {
  char bytes[65536];
  const int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  ssize_t got = -1;
  while (in >= 0 && out >= 0 && (got = read(in, bytes, sizeof bytes)) > 0) {
    if (write(out, bytes, (size_t)got) != got) return -1;
  }
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  return got == 0 ? 0 : -1;
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--as-copy") == 0) return geteuid() == getuid() && geteuid() != 0 ? 1 : 0;
  char name[256];
  for (size_t i = 0; i < sizeof kUsual / sizeof kUsual[0]; ++i) {
    struct stat meta;
    struct statvfs mount;
    snprintf(name, sizeof name, "set-user-id %s", kUsual[i]);
    if (stat(kUsual[i], &meta) != 0) {
      Refused(name, ErrnoName(errno));
    } else if ((meta.st_mode & (S_ISUID | S_ISGID)) == 0) {
      Refused(name, "NO-BIT");
    } else if (statvfs(kUsual[i], &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0) {
      Refused(name, "NOSUID");
    } else {
      Succeeded(name, "the bit would work");
    }
  }
  static const char* const kOwn[] = {"/work/set-user-id", "/tmp/set-user-id", "/out/set-user-id", "/dev/shm/set-user-id"};
  for (size_t i = 0; i < sizeof kOwn / sizeof kOwn[0]; ++i) {
    snprintf(name, sizeof name, "own %s", kOwn[i]);
    if (CopySelf(kOwn[i]) != 0 || chmod(kOwn[i], 06755) != 0) {
      Refused(name, ErrnoName(errno));
      continue;
    }
    const pid_t child = fork();
    if (child == 0) {
      execl(kOwn[i], kOwn[i], "--as-copy", (char*)NULL);
      _exit(1);
    }
    int status = 1 << 8;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      Succeeded(name, "became somebody else");
    } else {
      Refused(name, "SAME-ID");
    }
    unlink(kOwn[i]);
  }
  return Verdict();
}

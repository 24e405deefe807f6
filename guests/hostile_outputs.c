// Leaves in /out what must not be collected as it stands: links, special files, other rights. Argument: the directory.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "attempt.h"

static void Made(const char* name, int result) { Say("%s: %s", name, result == 0 ? "made" : ErrnoName(errno)); }

static int WriteFile(const char* name, const char* text, mode_t mode) {
  const int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return -1;
  const int result = write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) != 0 ? -1 : 0;
  close(fd);
  return result;
}

int main(int argc, char** argv) {
  const char* directory = argc > 1 ? argv[1] : "/out";
  if (chdir(directory) != 0) return 96;
  Made("good", WriteFile("good", "good", 0644));
  Made("link-to-passwd", symlink("/etc/passwd", "link-to-passwd"));
  Made("link-to-shadow", symlink("/etc/shadow", "link-to-shadow"));
  Made("link-to-root", symlink("/", "link-to-root"));
  Made("link-up", symlink("../../../../../../etc", "link-up"));
  Made("link-to-proc", symlink("/proc/self/root", "link-to-proc"));
  Made("link-to-itself", symlink("link-to-itself", "link-to-itself"));
  Made("pipe", mkfifo("pipe", 0644));
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Made("socket", bind(fd, (struct sockaddr*)&address, sizeof address));
  Made("hard-link-1", WriteFile("twice", "twice", 0644));
  Made("hard-link-2", link("twice", "twice-again"));
  Made("hard-link-to-passwd", link("/etc/passwd", "passwd"));
  Made("hard-link-to-program", link("/bin/sh", "sh"));
  Made("hard-link-to-work", link("/work/file", "work-file"));
  Made("device", mknod("device", S_IFCHR | 0666, 0x103));
  Made("whiteout", mknod("whiteout", S_IFCHR, 0));
  Made("set-user-id", WriteFile("set-user-id", "#!/bin/sh\n", 06755));
  Made("unreadable", WriteFile("unreadable", "unreadable", 0));
  Made("closed-directory", mkdir("closed", 0755) | WriteFile("closed/inside", "inside", 0644) | chmod("closed", 0));
  Made("instead-of-a-file", mkdir("directory", 0755) | WriteFile("directory/file", "file", 0644));
  return 0;
}

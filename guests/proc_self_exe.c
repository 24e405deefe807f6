// Overwrites the program that runs it, or the one that started it, through the links in /proc.
#include <sys/stat.h>
#include <sys/syscall.h>

#include "attempt.h"

static int RewriteWhileRunning(void) {
  // A child keeps the link open while its own program image goes away, the moment at which it becomes writable.
  const int handle = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  if (handle < 0) return errno;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
  const int fd = open(path, O_WRONLY | O_TRUNC);
  if (fd < 0) return errno;
  return write(fd, "#!", 2) == 2 ? 0 : errno;
}

int main(void) {
  AttemptOpen("write /proc/self/exe", "/proc/self/exe", O_WRONLY);
  AttemptOpen("truncate /proc/self/exe", "/proc/self/exe", O_RDWR | O_TRUNC);
  AttemptInChild("rewrite-while-running", RewriteWhileRunning);
  AttemptOpen("read /proc/1/exe", "/proc/1/exe", O_RDONLY);
  AttemptOpen("write /proc/1/exe", "/proc/1/exe", O_WRONLY);
  Attempt("chmod /proc/self/exe", chmod("/proc/self/exe", 0777));
  Attempt("chmod /proc/1/exe", chmod("/proc/1/exe", 0777));
  // Starting the launcher again from inside would run it with the guest's arguments.
  const pid_t child = fork();
  if (child == 0) {
    char* const arguments[] = {"again", NULL};
    execv("/proc/1/exe", arguments);
    _exit(errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && (WEXITSTATUS(status) == EACCES || WEXITSTATUS(status) == ENOENT || WEXITSTATUS(status) == EPERM)) {
    Refused("execute /proc/1/exe", ErrnoName(WEXITSTATUS(status)));
  } else {
    Succeeded("execute /proc/1/exe", "it ran");
  }
  return Verdict();
}

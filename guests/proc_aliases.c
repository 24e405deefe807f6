// Reaches files by names that a list of forbidden names does not think of. Arguments: absolute host paths.
#include <dirent.h>
#include <sys/syscall.h>

#include "attempt.h"

static const char* const kPrefixes[] = {
    "", "/proc/self/root", "/proc/thread-self/root", "/proc/self/task/1/root", "/proc/1/root", "/proc/1/cwd",
    "/proc/self/cwd/../../../../../..", "/dev/fd/0/..", "/dev/fd/../root", "/work/../../..", "/usr/../../..",
    "/proc/self/root/proc/self/root", "//", "/./.", "/tmp/up", "/tmp/root-link"};

static void TryAll(const char* path) {
  char alias[1024], name[1100];
  for (size_t i = 0; i < sizeof kPrefixes / sizeof kPrefixes[0]; ++i) {
    snprintf(alias, sizeof alias, "%s%s", kPrefixes[i], path);
    snprintf(name, sizeof name, "read %s", alias);
    AttemptRead(name, alias);
  }
}

int main(int argc, char** argv) {
  // Links of the guest's own making: they resolve in its own view.
  if (symlink("../../../../../../..", "/tmp/up") != 0 && errno != EEXIST) return 96;
  if (symlink("/proc/1/root", "/tmp/root-link") != 0 && errno != EEXIST) return 96;
  TryAll("/etc/shadow");
  TryAll("/root/.ssh/id_ed25519");
  for (int i = 1; i < argc; ++i) TryAll(argv[i]);
  unlink("/tmp/up");
  unlink("/tmp/root-link");
  return Verdict();
}

// Looks for descriptors that were left open, and for directories outside reached through what is open.
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "attempt.h"

int main(void) {
  char name[64], path[64], target[PATH_MAX];
  DIR* directory = opendir("/proc/self/fd");
  if (directory == NULL) {
    Succeeded("list-descriptors", "cannot list /proc/self/fd, so nothing is proved");
    return Verdict();
  }
  int found = 0;
  for (const struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    const int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == dirfd(directory)) continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = '\0';
    if (fd > 2) {
      snprintf(name, sizeof name, "descriptor-%d", fd);
      Succeeded(name, target);
      found++;
    }
    struct stat meta;
    snprintf(name, sizeof name, "standard-%d-is-a-directory", fd);
    if (fd <= 2 && fstat(fd, &meta) == 0 && S_ISDIR(meta.st_mode)) Succeeded(name, target);
    if (fd <= 2) Say("standard-%d: %s", fd, target);
  }
  closedir(directory);
  if (found == 0) Refused("inherited-descriptors", "ABSENT");
  // Beyond what /proc shows: every number up to a bound.
  found = 0;
  for (int fd = 3; fd < 65536; ++fd) found += fcntl(fd, F_GETFD) != -1 ? 1 : 0;
  if (found == 0) {
    Refused("descriptors-by-number", "EBADF");
  } else {
    Succeeded("descriptors-by-number", "open");
  }
  // The working directory and the root are inside, and nothing lies above them.
  struct stat root, above;
  if (stat("/", &root) == 0 && stat("/../../../../..", &above) == 0 && root.st_ino == above.st_ino &&
      root.st_dev == above.st_dev) {
    Refused("above-the-root", "SAME");
  } else {
    Succeeded("above-the-root", "another directory");
  }
  if (getcwd(target, sizeof target) == NULL || target[0] != '/') {
    Succeeded("working-directory-outside", target);
  } else {
    Say("working-directory: %s", target);
  }
  return Verdict();
}

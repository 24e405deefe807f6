// Fills every writable place, one after the other, until each says it is full. Arguments: MiB that would be a success in
// sum (default 4096), then the places (default /work /out /tmp /dev/shm).
#include "attempt.h"

static char block[1 << 20];

int main(int argc, char** argv) {
  OnlyInACell();
  static char* defaults[] = {"/work", "/out", "/tmp", "/dev/shm"};
  const unsigned long long goal = NumberArgument(argc, argv, 1, 4096);
  char** places = argc > 2 ? argv + 2 : defaults;
  const int count = argc > 2 ? argc - 2 : 4;
  memset(block, 'x', sizeof block);
  unsigned long long total = 0;
  int error = 0;
  for (int i = 0; i < count; ++i) {
    char path[512];
    snprintf(path, sizeof path, "%s/filled", places[i]);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
      error = errno;
      Say("fill %s: cannot create, %s", places[i], ErrnoName(error));
      continue;
    }
    unsigned long long here = 0;
    for (ssize_t wrote; total < goal << 20;) {
      wrote = write(fd, block, sizeof block);
      if (wrote < 0) {
        error = errno;
        break;
      }
      here += (unsigned long long)wrote;
      total += (unsigned long long)wrote;
    }
    // A hole with room promised for it counts as well.
    if (posix_fallocate(fd, 0, (off_t)goal << 20) == 0) total = goal << 20;
    close(fd);
    Say("fill %s: %llu bytes, %s", places[i], here, ErrnoName(error));
  }
  if (total >= goal << 20) {
    Say("fill-disk: SUCCEEDED %llu bytes", total);
    return 1;
  }
  Say("fill-disk: refused %s after %llu bytes in sum", ErrnoName(error), total);
  return 0;
}

// Makes empty files in every writable place until refused. Arguments: how many would be a success in sum (default
// 1000000), then the places (default /work /out /tmp /dev/shm).
#include <sys/stat.h>

#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  static char* defaults[] = {"/work", "/out", "/tmp", "/dev/shm"};
  const unsigned long long goal = NumberArgument(argc, argv, 1, 1000000);
  char** places = argc > 2 ? argv + 2 : defaults;
  const int count = argc > 2 ? argc - 2 : 4;
  unsigned long long total = 0;
  int error = 0;
  for (int i = 0; i < count; ++i) {
    for (unsigned long long n = 0; total < goal; ++n) {
      char path[512];
      snprintf(path, sizeof path, "%s/inode-%llu", places[i], n);
      // All kinds of entries, since a limit may forget one.
      const int made = n % 4 == 0   ? mkdir(path, 0700)
                       : n % 4 == 1 ? symlink("nowhere", path)
                       : n % 4 == 2 ? mkfifo(path, 0600)
                                    : mknod(path, S_IFREG | 0600, 0);
      if (made != 0) {
        error = errno;
        break;
      }
      total++;
    }
  }
  if (total >= goal) {
    Say("fill-inodes: SUCCEEDED %llu entries", total);
    return 1;
  }
  Say("fill-inodes: refused %s after %llu entries in sum", ErrnoName(error), total);
  return 0;
}

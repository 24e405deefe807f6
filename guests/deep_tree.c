// Makes directories in directories, far beyond PATH_MAX, or very many files. Arguments: "deep" or "wide", how many
// (default 5000), the place (default /out).
#include <sys/stat.h>

#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  const int deep = argc < 2 || strcmp(argv[1], "deep") == 0;
  const unsigned long long goal = NumberArgument(argc, argv, 2, 5000);
  if (chdir(argc > 3 ? argv[3] : "/out") != 0) return 96;
  unsigned long long made = 0;
  for (; made < goal; ++made) {
    if (deep) {
      if (mkdir("d", 0755) != 0 || chdir("d") != 0) break;
      continue;
    }
    char name[64];
    snprintf(name, sizeof name, "file-%llu", made);
    const int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) break;
    close(fd);
  }
  Say("%s-tree: made %llu%s%s", deep ? "deep" : "wide", made, made < goal ? ", then " : "", made < goal ? ErrnoName(errno) : "");
  return 0;
}

// Exchanges a file with a link, a directory and a pipe as fast as it can, also after its main process has ended, to
// meet a collector between its look and its use. Arguments: directory (default /out), seconds (default 3).
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  if (chdir(argc > 1 ? argv[1] : "/out") != 0) return 96;
  const time_t seconds = (time_t)NumberArgument(argc, argv, 2, 3);
  const int fd = open("result", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, "result", 6) != 6) return 96;
  close(fd);
  if (symlink("/etc/passwd", "link") != 0 || mkdir("directory", 0755) != 0 || mkfifo("pipe", 0644) != 0) return 96;
  Say("swapping");
  if (fork() != 0) return 0;  // the job is done, officially
  setsid();
  static const char* const kOthers[] = {"link", "directory", "pipe"};
  const time_t end = time(NULL) + seconds;
  for (unsigned i = 0; time(NULL) < end; ++i) {
    const char* other = kOthers[i % 3];
    renameat2(AT_FDCWD, "result", AT_FDCWD, other, 2);  // RENAME_EXCHANGE
    renameat2(AT_FDCWD, "result", AT_FDCWD, other, 2);
  }
  return 0;
}

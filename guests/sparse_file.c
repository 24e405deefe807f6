// Makes a file that claims to be huge without holding anything. Arguments: path (default /out/huge), bytes (default
// 1 PiB).
#include "attempt.h"

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/out/huge";
  const unsigned long long bytes = NumberArgument(argc, argv, 2, 1ull << 50);
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    Refused("sparse-create", ErrnoName(errno));
    return 0;
  }
  // The length alone costs nothing; whoever collects the file must not be fooled by it.
  Say("sparse-truncate: %s", ftruncate(fd, (off_t)bytes) == 0 ? "made" : ErrnoName(errno));
  if (posix_fallocate(fd, 0, (off_t)bytes) == 0) {
    Succeeded("sparse-allocate", "room for all of it");
  } else {
    Refused("sparse-allocate", "ENOSPC");
  }
  return Verdict();
}

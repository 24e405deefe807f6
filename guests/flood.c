// Writes bytes without end to an output stream. Arguments: "stdout" or "stderr", number of bytes, and a kind:
// lines (default), single (one line), binary (every byte value), nul.
#include "attempt.h"

int main(int argc, char** argv) {
  static char block[65536];
  const int fd = argc > 1 && strcmp(argv[1], "stderr") == 0 ? STDERR_FILENO : STDOUT_FILENO;
  unsigned long long left = NumberArgument(argc, argv, 2, 1ull << 30);
  const char* kind = argc > 3 ? argv[3] : "lines";
  for (size_t i = 0; i < sizeof block; ++i) {
    if (strcmp(kind, "binary") == 0) block[i] = (char)(i * 167 + (i >> 8));
    else if (strcmp(kind, "nul") == 0) block[i] = '\0';
    else if (strcmp(kind, "single") == 0) block[i] = 'x';
    else block[i] = i % 64 == 63 ? '\n' : 'a';
  }
  while (left > 0) {
    const ssize_t wrote = write(fd, block, left < sizeof block ? left : sizeof block);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return 95;  // the reader went away
    left -= (unsigned long long)wrote;
  }
  return 0;
}

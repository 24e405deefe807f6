// Starts processes, which start processes, until refused. Argument: how many would be a success (default 20000).
#include <sys/mman.h>

#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  const unsigned long long goal = NumberArgument(argc, argv, 1, 20000);
  // [0] started, [1] refusals, [2] the errno of the last refusal
  unsigned long long* shared =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 96;
  const pid_t first = getpid();
  unsigned failures = 0;
  while (__atomic_load_n(&shared[0], __ATOMIC_RELAXED) < goal && failures < 3) {
    const pid_t child = fork();
    if (child > 0) continue;
    if (child == 0) {
      __atomic_add_fetch(&shared[0], 1, __ATOMIC_RELAXED);
      continue;  // the child bombs as well
    }
    __atomic_store_n(&shared[2], (unsigned long long)errno, __ATOMIC_RELAXED);
    __atomic_add_fetch(&shared[1], 1, __ATOMIC_RELAXED);
    failures++;
  }
  if (getpid() != first) {
    for (;;) pause();
  }
  usleep(200000);
  const unsigned long long started = shared[0];
  if (shared[1] == 0) {
    Say("fork-bomb: SUCCEEDED %llu processes", started);
    return 1;
  }
  Say("fork-bomb: refused %s after %llu processes", ErrnoName((int)shared[2]), started);
  return 0;  // the others stay behind on purpose: the cell must end them
}

// Takes memory until refused or killed. Arguments: kind and MiB that would be a success (default 4096).
// Kinds: heap, many (in several processes), memfd, sysv, shm, tmp, pipes, shared.
#include <sys/mman.h>
#include <sys/shm.h>

#include "attempt.h"

enum { kMiB = 1 << 20 };

static void Touch(char* bytes) {
  for (size_t i = 0; i < kMiB; i += 4096) bytes[i] = (char)(i >> 12) | 1;
}

static char* Map(int flags, int fd, off_t offset) {
  char* bytes = mmap(NULL, kMiB, PROT_READ | PROT_WRITE, flags, fd, offset);
  return bytes == MAP_FAILED ? NULL : bytes;
}

/// Takes one MiB more; 0, or the errno of the refusal.
static int TakeOne(const char* kind, unsigned long long index) {
  static int fd = -1;
  if (strcmp(kind, "heap") == 0 || strcmp(kind, "many") == 0) {
    char* bytes = Map(MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == NULL) return errno;
    Touch(bytes);
    return 0;
  }
  if (strcmp(kind, "shared") == 0) {
    char* bytes = Map(MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bytes == NULL) return errno;
    Touch(bytes);
    return 0;
  }
  if (strcmp(kind, "sysv") == 0) {
    const int id = shmget(IPC_PRIVATE, kMiB, IPC_CREAT | 0600);
    char* bytes = id < 0 ? (char*)-1 : shmat(id, NULL, 0);
    if (bytes == (char*)-1) return errno;
    Touch(bytes);
    return 0;
  }
  if (strcmp(kind, "pipes") == 0) {
    int ends[2];
    static char block[65536];
    for (int i = 0; i < 16; ++i) {
      if (pipe2(ends, O_NONBLOCK) != 0) return errno;
      while (write(ends[1], block, sizeof block) > 0) {
      }
    }
    return 0;
  }
  if (fd < 0) {
    fd = strcmp(kind, "memfd") == 0 ? memfd_create("bomb", 0)
                                    : open(strcmp(kind, "shm") == 0 ? "/dev/shm/bomb" : "/tmp/bomb", O_RDWR | O_CREAT, 0600);
    if (fd < 0) return errno;
  }
  static char block[kMiB];
  memset(block, 1, sizeof block);
  const ssize_t wrote = pwrite(fd, block, sizeof block, (off_t)(index * kMiB));
  return wrote == kMiB ? 0 : wrote < 0 ? errno : ENOSPC;
}

static unsigned long long TakeAll(const char* kind, unsigned long long goal, int* error) {
  unsigned long long taken = 0;
  for (; taken < goal; ++taken) {
    *error = TakeOne(kind, taken);
    if (*error != 0) break;
    if (taken % 64 == 63) Say("%s: %llu MiB", kind, taken + 1);
  }
  return taken;
}

int main(int argc, char** argv) {
  OnlyInACell();
  const char* kind = argc > 1 ? argv[1] : "heap";
  const unsigned long long goal = NumberArgument(argc, argv, 2, 4096);
  int error = 0;
  if (strcmp(kind, "many") == 0) {
    // Eight processes with an eighth each: what a limit per process does not see.
    int killed = 0, refused = 0;
    pid_t children[8];
    for (int i = 0; i < 8; ++i) {
      children[i] = fork();
      if (children[i] == 0) {
        const unsigned long long taken = TakeAll(kind, goal / 8, &error);
        if (taken == goal / 8) sleep(2);  // hold it until all have theirs
        _exit(taken == goal / 8 ? 0 : 1);
      }
    }
    for (int i = 0; i < 8; ++i) {
      int status = 0;
      if (children[i] < 0 || waitpid(children[i], &status, 0) < 0) continue;
      killed += WIFSIGNALED(status);
      refused += WIFEXITED(status) && WEXITSTATUS(status) != 0;
    }
    if (killed + refused == 0) {
      Say("memory-many: SUCCEEDED %llu MiB", goal);
      return 1;
    }
    Say("memory-many: refused KILLED %d, ENOMEM %d of 8", killed, refused);
    return 0;
  }
  const unsigned long long taken = TakeAll(kind, goal, &error);
  if (error == 0) {
    Say("memory-%s: SUCCEEDED %llu MiB", kind, taken);
    return 1;
  }
  Say("memory-%s: refused %s after %llu MiB", kind, ErrnoName(error), taken);
  return 0;
}

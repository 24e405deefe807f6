// Asks for io_uring, whose operations no system call filter sees.
#include <sys/syscall.h>

#include "attempt.h"

int main(void) {
  unsigned char parameters[120] = {0};
  Attempt("io_uring_setup", syscall(SYS_io_uring_setup, 8, parameters));
  Attempt("io_uring_enter", syscall(SYS_io_uring_enter, 0, 1, 0, 0, NULL, 0));
  Attempt("io_uring_register", syscall(SYS_io_uring_register, 0, 0, NULL, 0));
  return Verdict();
}

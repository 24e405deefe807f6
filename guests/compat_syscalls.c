// Walks around a system call filter: other call tables and garbage in the upper halves of arguments.
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "attempt.h"

#if defined(__x86_64__)
static int Int80GetPid(void) {
  long result = 20;  // getpid of the i386 table
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result > 0 ? 0 : (int)-result;
}
static int Int80Unshare(void) {
  long result = 310;  // unshare of the i386 table
  __asm__ volatile("int $0x80" : "+a"(result) : "b"(0x10000000L) : "memory", "r8", "r9", "r10", "r11");
  return result == 0 ? 0 : (int)-result;
}
static int X32GetPid(void) { return syscall(0x40000000L + SYS_getpid) > 0 ? 0 : errno; }
static int X32Ptrace(void) { return syscall(0x40000000L + 521, 16, 1, 0, 0) == 0 ? 0 : errno; }
static int X32Ioctl(void) { return syscall(0x40000000L + 514, 0, TIOCSTI, "x") == 0 ? 0 : errno; }
#endif

int main(void) {
#if defined(__x86_64__)
  AttemptInChild("int80-getpid", Int80GetPid);
  AttemptInChild("int80-unshare", Int80Unshare);
  AttemptInChild("x32-getpid", X32GetPid);
  AttemptInChild("x32-ptrace", X32Ptrace);
  AttemptInChild("x32-ioctl", X32Ioctl);
#endif
  const unsigned long high = 1ul << 32, all_high = 0xfffffffful << 32;
  Attempt("tiocsti-high-bit", syscall(SYS_ioctl, 0, TIOCSTI | high, "x"));
  Attempt("tiocsti-all-high-bits", syscall(SYS_ioctl, 0, TIOCSTI | all_high, "x"));
  Attempt("tioclinux-high-bit", syscall(SYS_ioctl, 0, 0x541cul | high, "x"));
  Attempt("vsock-high-bit", syscall(SYS_socket, AF_VSOCK | high, SOCK_STREAM, 0));
  Attempt("raw-socket-high-bit", syscall(SYS_socket, AF_INET | high, SOCK_RAW | high, 1));
  Attempt("clone-newuser-high-bit", syscall(SYS_clone, 0x10000000ul | SIGCHLD | high, 0, 0, 0, 0));
  Attempt("device-high-bit", syscall(SYS_mknodat, AT_FDCWD, "device", 0020600ul | high, 0x103));
  Attempt("unknown-call", syscall(500, 0, 0, 0));
  return Verdict();
}

// Asks for the parts of the kernel that unprivileged code should never reach. Arguments are such that a success
// would do no harm: invalid pointers, sizes and magic numbers.
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "attempt.h"

int main(void) {
  OnlyInACell();
  Attempt("keyctl-session", syscall(SYS_keyctl, 0, -3, 0));   // KEYCTL_GET_KEYRING_ID, session
  Attempt("keyctl-user", syscall(SYS_keyctl, 0, -4, 1));      // user keyring
  Attempt("keyctl-join", syscall(SYS_keyctl, 1, NULL));
  Attempt("keyctl-read", syscall(SYS_keyctl, 11, -4, NULL, 0));
  Attempt("add_key", syscall(SYS_add_key, "user", "writ", "x", 1, -4));
  Attempt("request_key", syscall(SYS_request_key, "user", "writ", NULL, 0));
  char attributes[128] = {0};
  Attempt("bpf-map", syscall(SYS_bpf, 0, attributes, sizeof attributes));
  Attempt("bpf-program", syscall(SYS_bpf, 5, attributes, sizeof attributes));
  Attempt("userfaultfd", syscall(SYS_userfaultfd, 0));
  Attempt("userfaultfd-user-mode", syscall(SYS_userfaultfd, 1));
  Attempt("perf_event_open", syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
  Attempt("kexec_load", syscall(SYS_kexec_load, 0, 1ul << 20, NULL, 0));
  Attempt("init_module", syscall(SYS_init_module, NULL, 0, ""));
  Attempt("finit_module", syscall(SYS_finit_module, -1, "", 0));
  Attempt("delete_module", syscall(SYS_delete_module, "writ_no_such_module", O_NONBLOCK));
  Attempt("swapon", syscall(SYS_swapon, "/no/such/file", 0));
  Attempt("swapoff", syscall(SYS_swapoff, "/no/such/file"));
  Attempt("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
  Attempt("quotactl", syscall(SYS_quotactl, 0x800007 << 8, "/no/such/device", 0, attributes));
  Attempt("acct", syscall(SYS_acct, "/no/such/file"));
  struct timeval now = {0, 0};
  Attempt("settimeofday", syscall(SYS_settimeofday, &now, NULL));
  struct timespec time_now = {0, 0};
  Attempt("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &time_now));
  struct timex steer = {.modes = ADJ_TICK, .tick = 1};
  Attempt("adjtimex", syscall(SYS_adjtimex, &steer));
  Attempt("clock_adjtime", syscall(SYS_clock_adjtime, CLOCK_REALTIME, &steer));
  Attempt("syslog-read", syscall(SYS_syslog, 3, attributes, sizeof attributes));
  Attempt("syslog-size", syscall(SYS_syslog, 10, NULL, 0));
  Attempt("fanotify_init", syscall(SYS_fanotify_init, 0, O_RDONLY));
  Attempt("vhangup", syscall(SYS_vhangup));
  Attempt("sethostname", syscall(SYS_sethostname, "x", 1));
  Attempt("setdomainname", syscall(SYS_setdomainname, "x", 1));
  Attempt("memfd_secret", syscall(447, 0));
#if defined(__x86_64__)
  Attempt("iopl", syscall(SYS_iopl, 3));
  Attempt("ioperm", syscall(SYS_ioperm, 0x80, 1, 1));
  Attempt("modify_ldt", syscall(SYS_modify_ldt, 0, attributes, sizeof attributes));
  Attempt("_sysctl", syscall(SYS__sysctl, NULL));
#endif
  Attempt("personality-read-implies-exec", personality(READ_IMPLIES_EXEC));
  Attempt("personality-mmap-page-zero", personality(MMAP_PAGE_ZERO));
  Attempt("prctl-set-mm", prctl(PR_SET_MM, PR_SET_MM_ARG_START, 0x10000, 0, 0));
  Attempt("prctl-memory-merge", prctl(67, 1, 0, 0, 0));
  Attempt("map-page-zero", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
  Attempt("socket-alg", syscall(SYS_socket, 38, 5, 0));
  Attempt("socket-nf_tables", syscall(SYS_socket, 16, 3, 12));
  Attempt("rename-whiteout", syscall(SYS_renameat2, AT_FDCWD, "/tmp/none", AT_FDCWD, "/tmp/gone", 4));
  return Verdict();
}

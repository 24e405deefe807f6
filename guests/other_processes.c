// Inspects and drives processes other than its own: PID 1 of the cell, and any host process given as argument.
#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "attempt.h"

static void TryFiles(const char* pid) {
  static const char* const kReadable[] = {"environ", "maps", "auxv", "stack", "syscall", "io", "smaps", "pagemap",
                                          "mem", "personality", "clear_refs", "timerslack_ns", "patch_state"};
  static const char* const kLinks[] = {"root", "cwd", "exe", "fd/0", "fd/3", "ns/mnt", "map_files/0-0"};
  char path[64], name[96];
  for (size_t i = 0; i < sizeof kReadable / sizeof kReadable[0]; ++i) {
    snprintf(path, sizeof path, "/proc/%s/%s", pid, kReadable[i]);
    snprintf(name, sizeof name, "read %s", path);
    AttemptRead(name, path);
  }
  for (size_t i = 0; i < sizeof kLinks / sizeof kLinks[0]; ++i) {
    char target[256];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, kLinks[i]);
    snprintf(name, sizeof name, "readlink %s", path);
    Attempt(name, readlink(path, target, sizeof target));
  }
  snprintf(path, sizeof path, "/proc/%s/fd", pid);
  snprintf(name, sizeof name, "list %s", path);
  AttemptOpen(name, path, O_RDONLY | O_DIRECTORY);
  snprintf(path, sizeof path, "/proc/%s/root/etc", pid);
  snprintf(name, sizeof name, "open %s", path);
  AttemptOpen(name, path, O_RDONLY | O_DIRECTORY);
  snprintf(path, sizeof path, "/proc/%s/mem", pid);
  snprintf(name, sizeof name, "write %s", path);
  AttemptOpen(name, path, O_RDWR);
  snprintf(path, sizeof path, "/proc/%s/oom_score_adj", pid);
  snprintf(name, sizeof name, "write %s", path);
  AttemptOpen(name, path, O_WRONLY);
}

static void TryCalls(const char* text) {
  const int pid = atoi(text);
  char name[96], byte = 0;
  struct iovec here = {&byte, 1}, there = {(void*)0x400000, 1};
  snprintf(name, sizeof name, "ptrace-attach %d", pid);
  Attempt(name, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
  snprintf(name, sizeof name, "ptrace-seize %d", pid);
  Attempt(name, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
  snprintf(name, sizeof name, "process_vm_readv %d", pid);
  Attempt(name, process_vm_readv(pid, &here, 1, &there, 1, 0));
  snprintf(name, sizeof name, "process_vm_writev %d", pid);
  Attempt(name, process_vm_writev(pid, &here, 1, &there, 1, 0));
  snprintf(name, sizeof name, "kcmp %d", pid);
  Attempt(name, syscall(SYS_kcmp, pid, getpid(), 0, 0, 0));
  snprintf(name, sizeof name, "move_pages %d", pid);
  Attempt(name, syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 0));
  const long handle = syscall(SYS_pidfd_open, pid, 0);
  snprintf(name, sizeof name, "pidfd_getfd %d", pid);
  Attempt(name, syscall(SYS_pidfd_getfd, handle, 0, 0));
  snprintf(name, sizeof name, "process_madvise %d", pid);
  Attempt(name, syscall(SYS_process_madvise, handle, &there, 1, 20, 0));
}

int main(int argc, char** argv) {
  TryFiles("1");
  TryCalls("1");
  Attempt("ptrace-traceme", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
  for (int i = 1; i < argc; ++i) {  // ids that exist on the host: in here they must name nothing
    TryFiles(argv[i]);
    TryCalls(argv[i]);
  }
  // The process list holds this program, what started it in the cell, and nobody else.
  DIR* directory = opendir("/proc");
  int visible = 0;
  for (const struct dirent* entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') visible++;
  }
  char detail[64];
  snprintf(detail, sizeof detail, "%d visible", visible);
  if (visible > 4) {
    Succeeded("list-processes", detail);
  } else {
    Say("list-processes: refused HIDDEN %s", detail);
  }
  return Verdict();
}

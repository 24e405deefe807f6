// Looks for rights: groups, capabilities, flags, limits, keyrings of identity. Prints the id maps.
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "attempt.h"

static void PrintFile(const char* path) {
  char text[512];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) close(fd);
  text[got < 0 ? 0 : got] = '\0';
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    unsigned long inside, outside, count;
    if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3)
      Say("%s: %lu %lu %lu", path, inside, outside, count);
  }
}

/// A line of /proc/self/status must have the value.
static void Expect(const char* field, const char* wanted) {
  FILE* status = fopen("/proc/self/status", "re");
  char line[512], name[64];
  snprintf(name, sizeof name, "status-%s", field);
  const size_t length = strlen(field);
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    if (strncmp(line, field, length) != 0 || line[length] != ':') continue;
    char* value = line + length + 1;
    value += strspn(value, "\t ");
    value[strcspn(value, "\n")] = '\0';
    while (*value != '\0' && value[strlen(value) - 1] == ' ') value[strlen(value) - 1] = '\0';
    if (strcmp(value, wanted) == 0) {
      Say("%s: refused %s", name, *wanted ? wanted : "EMPTY");
    } else {
      Succeeded(name, value);
    }
    fclose(status);
    return;
  }
  Succeeded(name, "no such line");
}

int main(int argc, char** argv) {
  // Supplementary groups may be kept where the contract accepted it: then the test passes "keep-groups".
  const int keep_groups = argc > 1 && strcmp(argv[1], "keep-groups") == 0;
  gid_t groups[64];
  const int count = getgroups(64, groups);
  if (count == 0) {
    Refused("supplementary-groups", "NONE");
  } else if (keep_groups) {
    Say("supplementary-groups: %d kept", count);
  } else {
    Succeeded("supplementary-groups", "there are some");
  }
  Expect("CapInh", "0000000000000000");
  Expect("CapPrm", "0000000000000000");
  Expect("CapEff", "0000000000000000");
  Expect("CapAmb", "0000000000000000");
  Expect("NoNewPrivs", "1");
  Expect("Seccomp", "2");
  PrintFile("/proc/self/uid_map");
  PrintFile("/proc/self/gid_map");
  Say("ids: %u %u", getuid(), getgid());
  if (getuid() == 0 || geteuid() == 0 || getgid() == 0) Succeeded("is-root", "inside");
  Attempt("setuid-0", setuid(0));
  Attempt("setgid-0", setgid(0));
  Attempt("setresuid-0", setresuid(0, 0, 0));
  const gid_t root_group = 0;
  Attempt("setgroups", setgroups(1, &root_group));
  Attempt("raise-ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
  Attempt("set-securebits", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
  Attempt("clear-no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  struct {
    unsigned version;
    int pid;
  } header = {0x20080522, 0};
  unsigned sets[6] = {1u << 21, 1u << 21, 0, 0, 0, 0};
  Attempt("capset-sys_admin", syscall(SYS_capset, &header, sets));
  struct rlimit core, files;
  if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max > 1) {
    Succeeded("core-limit", "core files can be made");
  } else {
    Refused("core-limit", "ZERO");
  }
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max = files.rlim_max + 1;
    Attempt("raise-open-files", setrlimit(RLIMIT_NOFILE, &files));
  }
  const struct rlimit real_time = {1, 1}, locked = {1ul << 30, 1ul << 30};
  Attempt("raise-real-time", setrlimit(RLIMIT_RTPRIO, &real_time));
  Attempt("raise-locked-memory", setrlimit(RLIMIT_MEMLOCK, &locked));
  Attempt("renice-up", setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 1));
  struct {
    int priority;
  } schedule = {1};
  Attempt("real-time-class", syscall(SYS_sched_setscheduler, 0, 1, &schedule));
  Attempt("chown-to-root", chown("/tmp/home", 0, 0));
  return Verdict();
}

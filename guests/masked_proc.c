// Reads what /proc tells about the host, and writes what would change it.
#include <dirent.h>
#include <sys/vfs.h>

#include "attempt.h"

static const char* const kSecrets[] = {
    "cmdline", "kmsg", "kcore", "kallsyms", "kpagecount", "kpageflags", "kpagecgroup", "slabinfo", "vmallocinfo", "iomem",
    "ioports", "keys", "key-users", "timer_list", "timer_stats", "sched_debug", "schedstat", "config.gz", "modules", "mtrr",
    "interrupts", "softirqs", "diskstats", "partitions", "pagetypeinfo", "buddyinfo", "zoneinfo", "latency_stats",
    "consoles", "devices", "dma", "fb", "locks", "mdstat", "misc", "crypto", "bootconfig", "vmcore", "cgroups", "allocinfo",
    "kpagecgroup", "lockdep", "lock_stat", "profile"};
static const char* const kDirectories[] = {"acpi", "asound", "bus", "driver", "dynamic_debug", "fs", "ide", "irq", "mpt",
                                           "pressure", "scsi", "tty"};
static const char* const kSettings[] = {
    "sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/core_pipe_limit", "sys/kernel/modprobe", "sys/kernel/hotplug",
    "sys/kernel/poweroff_cmd", "sys/kernel/sysrq", "sys/kernel/panic", "sys/kernel/randomize_va_space",
    "sys/kernel/hostname", "sys/kernel/domainname", "sys/kernel/shmmax", "sys/kernel/msgmax", "sys/kernel/sem",
    "sys/kernel/ns_last_pid", "sys/kernel/pid_max", "sys/kernel/keys/maxkeys", "sys/kernel/unprivileged_bpf_disabled",
    "sys/vm/overcommit_memory", "sys/vm/drop_caches", "sys/vm/swappiness", "sys/fs/file-max", "sys/fs/suid_dumpable",
    "sys/fs/protected_symlinks", "sys/fs/binfmt_misc/register", "sys/fs/mqueue/msg_max", "sys/user/max_user_namespaces",
    "sys/net/ipv4/ip_forward", "sys/net/ipv4/ping_group_range", "sys/net/ipv4/ip_unprivileged_port_start",
    "sys/net/ipv6/conf/all/disable_ipv6", "sys/net/core/somaxconn", "irq/default_smp_affinity", "acpi/wakeup", "mtrr",
    "scsi/scsi", "timer_list", "self/loginuid", "self/setgroups", "self/projid_map", "self/attr/exec",
    "self/attr/current"};

int main(void) {
  char path[128], name[160];
  struct statfs fs;
  if (statfs("/proc/self", &fs) != 0 || fs.f_type != 0x9fa0) Succeeded("proc-is-genuine", "no: /proc is not procfs");
  for (size_t i = 0; i < sizeof kSecrets / sizeof kSecrets[0]; ++i) {
    snprintf(path, sizeof path, "/proc/%s", kSecrets[i]);
    snprintf(name, sizeof name, "read %s", path);
    AttemptRead(name, path);
  }
  for (size_t i = 0; i < sizeof kDirectories / sizeof kDirectories[0]; ++i) {
    snprintf(path, sizeof path, "/proc/%s", kDirectories[i]);
    snprintf(name, sizeof name, "list %s", path);
    DIR* directory = opendir(path);
    if (directory == NULL) {
      Refused(name, ErrnoName(errno));
      continue;
    }
    int entries = 0;
    for (const struct dirent* entry; (entry = readdir(directory)) != NULL;) entries += entry->d_name[0] != '.';
    closedir(directory);
    if (entries == 0) {
      Refused(name, "EMPTY");
    } else {
      Succeeded(name, "has entries");
    }
  }
  for (size_t i = 0; i < sizeof kSettings / sizeof kSettings[0]; ++i) {
    snprintf(path, sizeof path, "/proc/%s", kSettings[i]);
    snprintf(name, sizeof name, "write %s", path);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
      Refused(name, ErrnoName(errno));
      continue;
    }
    // Some files of the own process open for anyone and judge the bytes.
    Attempt(name, write(fd, "x", 1));
    close(fd);
  }
  return Verdict();
}

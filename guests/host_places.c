// Looks for the host: files that a cell must not show, and any further paths given as arguments.
#include <dirent.h>

#include "attempt.h"

static const char* const kPlaces[] = {
    "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/ssl/private", "/etc/machine-id", "/etc/fstab",
    "/etc/hostname", "/etc/writ", "/etc/kubernetes", "/etc/docker", "/etc/crontab", "/etc/environment", "/etc/netrc",
    "/root/.", "/root/.ssh", "/home/.", "/var/.", "/var/log", "/var/lib", "/var/lib/writ", "/var/run", "/srv/.", "/opt/containerd", "/mnt/.",
    "/media/.", "/boot/.", "/run/.", "/run/docker.sock", "/run/secrets", "/run/user", "/sys/.", "/sys/kernel", "/sys/fs/cgroup",
    "/sys/firmware", "/sys/class", "/sys/kernel/debug", "/lost+found", "/.dockerenv", "/dev/mem", "/dev/kmem", "/dev/kmsg",
    "/dev/port", "/dev/kvm", "/dev/vsock", "/dev/vhost-vsock", "/dev/vhost-net", "/dev/net/tun", "/dev/fuse", "/dev/loop0",
    "/dev/loop-control", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/mapper/control", "/dev/console", "/dev/tty0",
    "/dev/tty1", "/dev/ttyS0", "/dev/hwrng", "/dev/rtc0", "/dev/input", "/dev/dri", "/dev/snd", "/dev/uinput",
    "/dev/userfaultfd", "/dev/cpu_dma_latency", "/dev/hugepages", "/dev/mqueue", "/dev/log", "/dev/initctl"};

static void Look(const char* path) {
  char name[512];
  snprintf(name, sizeof name, "see %s", path);
  const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    Refused(name, ErrnoName(errno));
    return;
  }
  close(fd);
  DIR* directory = opendir(path);
  if (directory != NULL) {  // an empty directory shows nothing
    int entries = 0;
    for (const struct dirent* entry; (entry = readdir(directory)) != NULL;)
      entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    if (entries == 0) {
      Refused(name, "EMPTY");
      return;
    }
  }
  Succeeded(name, "");
}

int main(int argc, char** argv) {
  for (size_t i = 0; i < sizeof kPlaces / sizeof kPlaces[0]; ++i) Look(kPlaces[i]);
  for (int i = 1; i < argc; ++i) Look(argv[i]);
  return Verdict();
}

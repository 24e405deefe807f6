// Connects to local sockets of the host. Arguments: "@name" is an abstract one, anything else a path.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attempt.h"

static const char* const kUsual[] = {
    "/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock",
    "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/notify", "/run/systemd/journal/socket",
    "/run/user/0/bus", "/run/user/1000/bus", "/tmp/.X11-unix/X0", "/run/snapd.socket", "/run/libvirt/libvirt-sock",
    "@/tmp/.X11-unix/X0", "@/org/kernel/linux/storage/multipathd", "@ISCSIADM_ABSTRACT_NAMESPACE"};

static void TryConnect(const char* where) {
  static const int kTypes[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  static const char* const kTypeNames[] = {"stream", "dgram", "seqpacket"};
  for (int i = 0; i < 3; ++i) {
    char name[256];
    snprintf(name, sizeof name, "connect-%s %s", kTypeNames[i], where);
    const int fd = socket(AF_UNIX, kTypes[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      Refused(name, ErrnoName(errno));
      continue;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strnlen(where, sizeof address.sun_path - 1);
    memcpy(address.sun_path, where, length);
    if (where[0] == '@') address.sun_path[0] = '\0';
    Attempt(name, connect(fd, (struct sockaddr*)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)));
    close(fd);
  }
}

int main(int argc, char** argv) {
  for (size_t i = 0; i < sizeof kUsual / sizeof kUsual[0]; ++i) TryConnect(kUsual[i]);
  for (int i = 1; i < argc; ++i) TryConnect(argv[i]);
  // The kernel's list of local sockets is that of the network namespace: none but our own.
  FILE* list = fopen("/proc/net/unix", "re");
  char line[512];
  int foreign = 0, row = 0;
  while (list != NULL && fgets(line, sizeof line, list) != NULL) foreign += row++ > 0 && strpbrk(line, "/@") != NULL;
  if (list != NULL) fclose(list);
  if (foreign == 0) {
    Refused("list-host-sockets", list != NULL ? "EMPTY" : "ABSENT");
  } else {
    Succeeded("list-host-sockets", "named sockets are listed");
  }
  return Verdict();
}

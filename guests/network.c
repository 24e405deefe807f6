// Tries to get anything out of, or about, the network. Arguments: further "address:port" pairs of the host that listen.
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "attempt.h"

static const char* const kTargets[] = {"1.1.1.1:53", "8.8.8.8:443", "93.184.215.14:80", "169.254.169.254:80", "10.0.0.1:22",
                                       "172.17.0.1:2375", "192.168.0.1:80", "255.255.255.255:9", "224.0.0.251:5353",
                                       "[2606:4700:4700::1111]:443", "[fe80::1]:80", "[::ffff:8.8.8.8]:443", "[fd00:ec2::254]:80",
                                       "[ff02::fb]:5353", "127.0.0.53:53"};

static socklen_t Parse(const char* text, struct sockaddr_storage* out) {
  char host[64];
  const char* colon = strrchr(text, ':');
  if (colon == NULL || (size_t)(colon - text) >= sizeof host) return 0;
  size_t length = (size_t)(colon - text);
  const int is6 = text[0] == '[';
  if (is6) text++, length -= 2;
  memcpy(host, text, length);
  host[length] = '\0';
  memset(out, 0, sizeof *out);
  const uint16_t port = htons((uint16_t)atoi(colon + 1));
  struct sockaddr_in6* six = (struct sockaddr_in6*)out;
  struct sockaddr_in* four = (struct sockaddr_in*)out;
  if (is6 && inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = port;
    return sizeof *six;
  }
  if (!is6 && inet_pton(AF_INET, host, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = port;
    return sizeof *four;
  }
  return 0;
}

static void TryConnect(const char* target) {
  char name[128];
  struct sockaddr_storage address;
  const socklen_t length = Parse(target, &address);
  if (length == 0) return;
  snprintf(name, sizeof name, "tcp %s", target);
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int result = connect(fd, (struct sockaddr*)&address, length);
  if (result == -1 && errno == EINPROGRESS) {
    struct pollfd waiting = {fd, POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t size = sizeof error;
    if (poll(&waiting, 1, 1000) == 1) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    result = error == 0 ? 0 : -1;
    errno = error;
  }
  Attempt(name, result);
  close(fd);
  snprintf(name, sizeof name, "udp %s", target);
  fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
  Attempt(name, sendto(fd, "x", 1, 0, (struct sockaddr*)&address, length));
  close(fd);
}

static void TryFamilies(void) {
  static const struct {
    const char* name;
    int family, type, protocol;
  } kSockets[] = {{"raw-icmp", AF_INET, SOCK_RAW, 1},        {"raw-tcp", AF_INET, SOCK_RAW, 6},
                  {"raw-6", AF_INET6, SOCK_RAW, 58},         {"ping", AF_INET, SOCK_DGRAM, 1},
                  {"packet", AF_PACKET, SOCK_RAW, 0x300},    {"packet-old", AF_INET, SOCK_PACKET, 0x300},
                  {"vsock-stream", AF_VSOCK, SOCK_STREAM, 0}, {"vsock-dgram", AF_VSOCK, SOCK_DGRAM, 0},
                  {"netlink-netfilter", AF_NETLINK, SOCK_RAW, 12}, {"netlink-audit", AF_NETLINK, SOCK_RAW, 9},
                  {"netlink-xfrm", AF_NETLINK, SOCK_RAW, 6}, {"netlink-uevent", AF_NETLINK, SOCK_RAW, 15},
                  {"netlink-generic", AF_NETLINK, SOCK_RAW, 16}, {"netlink-diag", AF_NETLINK, SOCK_RAW, 4},
                  {"sctp", AF_INET, SOCK_STREAM, 132},       {"dccp", AF_INET, 6, 33},
                  {"mptcp", AF_INET, SOCK_STREAM, 262},      {"udplite", AF_INET, SOCK_DGRAM, 136},
                  {"bluetooth", AF_BLUETOOTH, SOCK_RAW, 0},  {"can", AF_CAN, SOCK_RAW, 1},
                  {"alg", AF_ALG, SOCK_SEQPACKET, 0},        {"tipc", AF_TIPC, SOCK_STREAM, 0},
                  {"rds", AF_RDS, SOCK_SEQPACKET, 0},        {"smc", 43, SOCK_STREAM, 0},
                  {"xdp", AF_XDP, SOCK_RAW, 0},              {"qipcrtr", 42, SOCK_DGRAM, 0},
                  {"x25", AF_X25, SOCK_SEQPACKET, 0},        {"key", AF_KEY, SOCK_RAW, 2},
                  {"kcm", 41, SOCK_DGRAM, 0},                {"nfc", 39, SOCK_SEQPACKET, 0}};
  char name[64];
  for (size_t i = 0; i < sizeof kSockets / sizeof kSockets[0]; ++i) {
    snprintf(name, sizeof name, "socket-%s", kSockets[i].name);
    Attempt(name, socket(kSockets[i].family, kSockets[i].type, kSockets[i].protocol));
  }
}

/// Changes the network configuration through the one netlink family that is there.
static void TryConfigure(void) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg info;
  } up = {{sizeof up, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 1, 0}, {.ifi_index = 1, .ifi_change = 1}};
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[1024];
  } reply;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) {
    Refused("configure-interface", ErrnoName(errno));
    return;
  }
  if (send(fd, &up, sizeof up, 0) < 0 || recv(fd, &reply, sizeof reply, 0) < 0) {
    Refused("configure-interface", ErrnoName(errno));
  } else {
    errno = -reply.error.error;
    Attempt("configure-interface", reply.error.error == 0 ? 0 : -1);
  }
  close(fd);
  struct if_nameindex* interfaces = if_nameindex();
  int others = 0;
  for (struct if_nameindex* i = interfaces; i != NULL && i->if_index != 0; ++i) others += strcmp(i->if_name, "lo") != 0;
  if (others == 0) {
    Refused("interfaces-beside-lo", "NONE");
  } else {
    Succeeded("interfaces-beside-lo", "there are some");
  }
  if (interfaces != NULL) if_freenameindex(interfaces);
}

int main(int argc, char** argv) {
  for (size_t i = 0; i < sizeof kTargets / sizeof kTargets[0]; ++i) TryConnect(kTargets[i]);
  for (int i = 1; i < argc; ++i) TryConnect(argv[i]);
  TryFamilies();
  TryConfigure();
  AttemptOpen("tun", "/dev/net/tun", O_RDWR);
  // Proxy variables make no difference: what is not named here is not looked at by anything above.
  unsetenv("http_proxy");
  unsetenv("https_proxy");
  unsetenv("ALL_PROXY");
  TryConnect("1.0.0.1:443");
  return Verdict();
}

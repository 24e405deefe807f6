// Uses the network as a program does that knows no proxy.
//   dial tcp ADDRESS PORT [TEXT]   connects, sends TEXT, prints what comes back until the other side closes
//   dial udp ADDRESS PORT TEXT     sends one datagram, prints one answer
//   dial self                      talks to itself over 127.0.0.1 and ::1
// Prints `dial: reached TEXT` or `dial: refused ERRNO`; exits 0 when reached.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "attempt.h"

static int Fail(void) {
  Refused("dial", ErrnoName(errno));
  return 1;
}

static socklen_t Address(const char* text, const char* port, struct sockaddr_storage* to) {
  memset(to, 0, sizeof *to);
  struct sockaddr_in* v4 = (struct sockaddr_in*)to;
  struct sockaddr_in6* v6 = (struct sockaddr_in6*)to;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((unsigned short)atoi(port));
    return sizeof *v4;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((unsigned short)atoi(port));
    return sizeof *v6;
  }
  Say("not an address: %s", text);
  _exit(97);
}

static int Dial(int type, const char* address, const char* port, const char* text) {
  struct sockaddr_storage to;
  const socklen_t length = Address(address, port, &to);
  const int fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return Fail();
  const struct timeval wait = {20, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  if (connect(fd, (struct sockaddr*)&to, length) != 0) return Fail();
  if (text != NULL && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0) return Fail();
  char answer[1024];
  size_t size = 0;
  for (ssize_t got; size < sizeof answer - 1; size += (size_t)got) {
    got = recv(fd, answer + size, sizeof answer - 1 - size, 0);
    if (got < 0) return Fail();
    if (got == 0) break;
    if (type == SOCK_DGRAM) {
      size += (size_t)got;
      break;
    }
  }
  answer[size] = '\0';
  Say("dial: reached %s", answer);
  return 0;
}

static int DialSelf(int family) {
  struct sockaddr_storage at;
  socklen_t length = Address(family == AF_INET ? "127.0.0.1" : "::1", "0", &at);
  const int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), dialer = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || dialer < 0 || bind(listener, (struct sockaddr*)&at, length) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr*)&at, &length) != 0 || connect(dialer, (struct sockaddr*)&at, length) != 0)
    return Fail();
  const int accepted = accept(listener, NULL, NULL);
  char byte = 0;
  if (accepted < 0 || write(dialer, "x", 1) != 1 || read(accepted, &byte, 1) != 1) return Fail();
  Say("dial: reached itself");
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "self") == 0) return DialSelf(AF_INET) + DialSelf(AF_INET6);
  if (argc < 4) {
    Say("usage: dial tcp|udp ADDRESS PORT [TEXT]");
    return 2;
  }
  return Dial(strcmp(argv[1], "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM, argv[2], argv[3], argc > 4 ? argv[4] : NULL);
}

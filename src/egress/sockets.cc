#include "egress/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

namespace writ::egress {
namespace {

// The headers of these two clash with <netinet/in.h>.
constexpr int kOriginalDestination4 = 80;  // SO_ORIGINAL_DST
constexpr int kOriginalDestination6 = 80;  // IP6T_SO_ORIGINAL_DST

Result<Endpoint> FromSockaddr(const sockaddr_storage& storage, socklen_t length) {
  const auto* address = reinterpret_cast<const sockaddr*>(&storage);
  Endpoint endpoint;
  endpoint.address = WRIT_TRY("socket address", net::IpAddress::FromSockaddr(address, length));
  endpoint.port = ntohs(storage.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in*>(address)->sin_port
                                                     : reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  return endpoint;
}

Result<sys::UniqueFd> Connect(const Endpoint& to, int type) {
  sockaddr_storage storage{};
  const socklen_t length = to.address.ToSockaddr(to.port, storage);
  sys::UniqueFd socket(::socket(storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return FailErrno("socket");
  if (type == SOCK_STREAM) {
    const int on = 1;  // without it only slower
    static_cast<void>(::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 && errno != EINPROGRESS) {
    return FailErrno("connect");
  }
  return socket;
}

Io FromResult(ssize_t moved) {
  if (moved > 0) return {IoEnd::kMoved, static_cast<std::size_t>(moved)};
  if (moved == 0) return {IoEnd::kEnd, 0};
  return {errno == EAGAIN || errno == EINTR ? IoEnd::kBlocked : IoEnd::kBroken, 0};
}

}  // namespace

Result<sys::UniqueFd> StartConnect(const Endpoint& to) { return Connect(to, SOCK_STREAM); }
Result<sys::UniqueFd> ConnectedDatagram(const Endpoint& to) { return Connect(to, SOCK_DGRAM); }

Result<bool> ConnectedAtOnce(int socket, const Endpoint& to) {
  sockaddr_storage storage{};
  const socklen_t length = to.address.ToSockaddr(to.port, storage);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&storage), length) == 0 || errno == EISCONN) return true;
  if (errno != EALREADY && errno != EINPROGRESS) return FailErrno("connect");
  return false;
}

Result<> Connected(int socket) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return FailErrno("getsockopt SO_ERROR");
  if (error != 0) return std::unexpected(ErrnoError(error, "connect"));
  return {};
}

Result<Endpoint> LocalEndpoint(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return FailErrno("getsockname");
  return FromSockaddr(storage, length);
}

Result<Endpoint> RedirectedFrom(int socket) {
  const Endpoint local = WRIT_TRY("redirected connection", LocalEndpoint(socket));
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const bool v4 = local.address.is_v4();
  if (::getsockopt(socket, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? kOriginalDestination4 : kOriginalDestination6, &storage,
                   &length) != 0) {
    return FailErrno("getsockopt SO_ORIGINAL_DST");
  }
  return FromSockaddr(storage, length);
}

void ServeThisHost(int listener) {
  constexpr std::string_view kUnpaced = "reno";
  const int on = 1;  // without these two only slower
  static_cast<void>(::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  static_cast<void>(::setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, kUnpaced.data(), kUnpaced.size()));
}

void ResetOnClose(int socket) {
  const linger now{1, 0};  // where this fails the end is orderly, and an end all the same
  static_cast<void>(::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now));
}

Io Receive(int socket, char* buffer, std::size_t bytes_max) {
  return FromResult(::recv(socket, buffer, bytes_max, MSG_DONTWAIT));
}

Io Send(int socket, const char* bytes, std::size_t count) {
  return FromResult(::send(socket, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

Io Splice(int from, int to, std::size_t bytes_max) {
  return FromResult(::splice(from, nullptr, to, nullptr, bytes_max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

}  // namespace writ::egress

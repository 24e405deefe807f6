#include "http/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/escape.h"
#include "net/host_name.h"
#include "net/ip_address.h"

namespace writ::http {
namespace {

constexpr std::uint16_t kUnprivilegedPort = 1024;

std::unexpected<Error> Cannot(std::string_view host, std::uint16_t port, int error) {
  Error failed = ErrnoError(error, fmt::format("listen on {}:{}", EscapeVisible(host), port));
  if (failed.code != Code::kDenied) failed.code = Code::kUnavailable;
  else if (port < kUnprivilegedPort) failed.what += "; a port below 1024 takes root or CAP_NET_BIND_SERVICE";
  return std::unexpected(std::move(failed));
}

}  // namespace

Result<Listener> BindListener(std::string_view host, std::uint16_t port) {
  const auto name = WRIT_TRY("listen", net::NormaliseHost(host));
  if (!name.address && name.name != "localhost") return Fail(Code::kInvalid, "{} is no address of this machine", EscapeVisible(host));
  const std::string text = name.address ? name.address->ToText() : "127.0.0.1";
  sockaddr_storage address{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
  Listener listener;
  socklen_t size = sizeof *v4;
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    listener.loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof *v6;
    listener.ipv6 = true;
    listener.loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  } else {
    return Fail(Code::kInvalid, "{} is no address", EscapeVisible(host));
  }
  listener.fd = sys::UniqueFd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.fd.valid()) return Cannot(host, port, errno);
  const int on = 1;
  if (::setsockopt(listener.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return Cannot(host, port, errno);
  if (::bind(listener.fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return Cannot(host, port, errno);
  socklen_t length = sizeof address;
  if (::getsockname(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return Cannot(host, port, errno);
  listener.port = ntohs(listener.ipv6 ? v6->sin6_port : v4->sin_port);
  return listener;
}

}  // namespace writ::http

#pragma once

#include "egress/core.h"
#include "sys/unique_fd.h"

namespace writ::egress {

/// A socket that connects; Connected() says how it went once it is writable. No delay (TCP_NODELAY), close-on-exec,
/// non-blocking. Errors: what connect(2) refuses at once.
Result<sys::UniqueFd> StartConnect(const Endpoint& to);
/// Right after StartConnect: whether the connection is made already, as it is between two ends of one host. Errors: why
/// it failed. Source: connect(2), EALREADY.
Result<bool> ConnectedAtOnce(int socket, const Endpoint& to);
/// Errors: why the connection failed (SO_ERROR).
Result<> Connected(int socket);
/// A UDP socket connected to `to`, from a port that the kernel picks at random.
Result<sys::UniqueFd> ConnectedDatagram(const Endpoint& to);
/// The address a socket is bound to. Errors: kInvalid for other families than IPv4 and IPv6.
Result<Endpoint> LocalEndpoint(int socket);
/// Where netfilter's redirect took a connection from: SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST. Errors: kNotFound when it
/// was not redirected. Source: linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h.
Result<Endpoint> RedirectedFrom(int socket);
/// What this listener accepts comes from this host, where no network is between the two ends: it sends without delay, and
/// under a congestion control that does not pace ("reno", which everyone may choose; a system whose default is BBR would
/// measure and pace loopback, at a third of the throughput). Accepted sockets inherit both. Source: tcp(7), TCP_NODELAY,
/// TCP_CONGESTION.
void ServeThisHost(int listener);
/// Makes close(2) send a reset instead of an orderly end (socket(7), SO_LINGER).
void ResetOnClose(int socket);

/// How one read or write went.
enum class IoEnd : std::uint8_t {
  kMoved,    ///< `bytes` were moved
  kBlocked,  ///< nothing can move now
  kEnd,      ///< the peer will send no more
  kBroken    ///< the connection is of no use any more
};
struct Io {
  IoEnd end = IoEnd::kBroken;
  std::size_t bytes = 0;
};
Io Receive(int socket, char* buffer, std::size_t bytes_max);
Io Send(int socket, const char* bytes, std::size_t count);
Io Splice(int from, int to, std::size_t bytes_max);

}  // namespace writ::egress

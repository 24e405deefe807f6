#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "egress/event_loop.h"
#include "egress/tls_stream.h"
#include "net/http1.h"
#include "sys/unique_fd.h"

namespace writ::egress {

/// One of the two connections of an HTTP exchange, with what was read and not used, and what waits to be sent.
struct HttpSide {
  sys::UniqueFd fd;
  std::unique_ptr<TlsStream> tls;  ///< when what is read and written is inside TLS
  std::string in, out;
  bool readable = false;          ///< until epoll says so; it says so for a new watch, too
  bool writable = true;           ///< until the contrary is seen
  bool ending = false;            ///< the peer has sent its last: a short read does not mean "no more for now"
  bool ended = false;             ///< its end was read
  bool broken = false;            ///< of no use any more
  bool cut = false;               ///< TLS ended without saying so: what came last may not be all
  bool secret = false;            ///< `out` may hold values of secrets: it is wiped
  net::Http1HeadScanner scanner;  ///< of the head at the start of `in`
  Watch watch;

  /// Takes in what epoll says.
  void Note(std::uint32_t events);
  /// Sends once. True: something was sent.
  bool Flush();
  /// Reads once into `in`, by way of `scratch`, until it holds `bytes_max`. True: something was read, or the end.
  bool Fill(std::span<char> scratch, std::size_t bytes_max);
  /// Takes the head out of `in`; "" when it is not complete.
  net::Http1Result<std::string> TakeHead();
  /// Sends the end, after what was sent. False: it cannot be.
  bool EndWriting();
  /// Closes the connection and forgets what was read and written.
  void Drop();
};

}  // namespace writ::egress

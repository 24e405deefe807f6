#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace writ::http {

/// What one server takes from anybody. Every bound has a test that goes past it.
struct Limits {
  std::size_t connections_max = 4096;             ///< open at once; past it the oldest idle one goes, or the new one
  std::size_t address_connections_max = 1024;     ///< of one address of the network
  std::size_t idle_max = 2048;                    ///< kept open between requests; past it the oldest goes
  std::size_t head_bytes_max = 64 << 10;          ///< 431
  std::uint64_t body_bytes_max = 64 << 20;        ///< 413, and the connection is dropped
  std::uint64_t bodies_bytes_max = 512 << 20;     ///< of all bodies that are being received into memory; 503
  std::size_t frame_bytes_max = 64 << 10;         ///< one WebSocket message from a client
  std::size_t followers_max = 512;                ///< event streams at once; 503
  std::size_t follower_backlog_max = 2 << 20;     ///< bytes that wait for one slow follower before it is dropped
  Millis handshake{10000};                        ///< for TLS
  Millis head{10000};      ///< from the first byte of a request, or from connecting, to the end of its head
  Millis body_pause{30000};   ///< without a byte of a body
  Millis body_total{300000};  ///< for a whole body in memory
  Millis write_pause{30000};  ///< in which a reader takes nothing of an answer
  Millis linger{2000};        ///< for the peer of a dropped connection to read what it was told
  Millis ping{15000};         ///< between signs of life on an event stream
};

}  // namespace writ::http

#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <string>

#include "http/any_stream.h"
#include "http/connection.h"

namespace writ::http {

/// What a connection has once it speaks WebSocket (RFC 6455).
struct Connection::WebSocketSide {
  explicit WebSocketSide(AnyStream& below) : stream(below) {}
  boost::beast::websocket::stream<AnyStream&, false> stream;
  boost::beast::flat_buffer input;
  std::string message;
};

}  // namespace writ::http

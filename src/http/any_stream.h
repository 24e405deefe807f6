#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <optional>
#include <utility>

namespace writ::http {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

/// One accepted connection, with TLS or without: what is above need not know.
class AnyStream {
 public:
  using executor_type = asio::ip::tcp::socket::executor_type;
  /// `tls` null: plain. It is kept as long as the stream.
  AnyStream(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> tls) : socket_(std::move(socket)), context_(std::move(tls)) {
    if (context_ != nullptr) tls_.emplace(socket_, *context_);
  }
  AnyStream(const AnyStream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  bool secure() const { return tls_.has_value(); }
  asio::ip::tcp::socket& socket() { return socket_; }
  asio::ssl::stream<asio::ip::tcp::socket&>& tls() { return *tls_; }

  template <class Buffers, class Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(ErrorCode, std::size_t)>(
        [this](auto done, const Buffers& into) {
          if (tls_) tls_->async_read_some(into, std::move(done));
          else socket_.async_read_some(into, std::move(done));
        },
        handler, buffers);
  }
  template <class Buffers, class Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(ErrorCode, std::size_t)>(
        [this](auto done, const Buffers& from) {
          if (tls_) tls_->async_write_some(from, std::move(done));
          else socket_.async_write_some(from, std::move(done));
        },
        handler, buffers);
  }

 private:
  asio::ip::tcp::socket socket_;
  std::shared_ptr<asio::ssl::context> context_;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> tls_;
};

/// How Beast closes the lowest layer of a stream of ours.
inline void beast_close_socket(AnyStream& stream) {
  ErrorCode ignored;
  stream.socket().close(ignored);
}
// How a WebSocket ends its transport: the connection is closed by its owner right after.
inline void teardown(boost::beast::role_type, AnyStream& stream, ErrorCode& error) {
  stream.socket().shutdown(asio::ip::tcp::socket::shutdown_both, error);
}
template <class Handler>
void async_teardown(boost::beast::role_type, AnyStream& stream, Handler&& handler) {
  ErrorCode error;
  stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  asio::post(stream.get_executor(), [handler = std::forward<Handler>(handler), error]() mutable { handler(error); });
}

}  // namespace writ::http

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "egress/sockets.h"
#include "net/host_name.h"

struct ssl_ctx_st;

namespace writ::egress {

/// What is spoken inside TLS (ALPN, RFC 7301).
enum class HttpVersion : std::uint8_t { kHttp1, kHttp2 };
/// "http/1.1", "h2".
std::string_view ProtocolName(HttpVersion version);

/// TLS over one non-blocking socket (borrowed). Whatever is blocked may go on after any event of the socket: reading
/// can wait for writing and the other way round.
class TlsStream {
 public:
  /// `early` was read from the socket before. `context` is borrowed for the call. A client that offers protocols must
  /// offer `version`. Errors: kInternal.
  static Result<std::unique_ptr<TlsStream>> Server(ssl_ctx_st* context, int socket, std::string early,
                                                   HttpVersion version);
  /// The server has to prove that it is `host`; a name is sent as SNI. `offered`: in order of preference.
  static Result<std::unique_ptr<TlsStream>> Client(ssl_ctx_st* context, int socket, const net::Host& host,
                                                   std::span<const HttpVersion> offered);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// kMoved: done. kBroken: failure() says why.
  Io Handshake();
  /// kEnd only when the peer said that it ends: a connection that was cut off is kBroken.
  Io Read(char* buffer, std::size_t bytes_max);
  /// After kBlocked the same bytes have to come again; more may follow them.
  Io Write(const char* bytes, std::size_t count);
  /// Says that no more will be written, as far as the socket takes it.
  void EndWriting();
  const std::string& failure() const { return failure_; }
  /// After the handshake: what the server chose; HTTP/1.1 when it chose nothing.
  HttpVersion version() const;

 private:
  struct Parts;
  explicit TlsStream(std::unique_ptr<Parts> parts);
  static Result<std::unique_ptr<TlsStream>> Make(ssl_ctx_st* context, int socket, std::string early);
  Io Outcome(int returned, std::size_t moved);

  std::unique_ptr<Parts> parts_;
  std::string failure_;
};

}  // namespace writ::egress

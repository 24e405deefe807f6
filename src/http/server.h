#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "http/counters.h"
#include "http/limits.h"
#include "http/listener.h"
#include "http/request_log.h"
#include "http/service.h"

namespace writ::http {

struct TlsFiles {
  std::string cert_file{}, key_file{};  ///< PEM; the certificate with its chain
  std::string client_ca_file{};     ///< PEM; when set, clients without a certificate from it are turned away
};

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< an address of this machine
  std::uint16_t port = 7172;       ///< 0: any free one
  std::optional<TlsFiles> tls{};
  std::vector<std::string> names{};   ///< further names that a server on loopback answers to
  bool trust_forwarded_for = false;  ///< the client's address is the last of X-Forwarded-For
  Limits limits{};
  std::function<void(const RequestRecord& record)> log{};  ///< on the server's thread; must not wait
};

/// HTTP/1.1 in front of a Service: framing, limits, TLS, event streams, WebSocket. One thread for all connections, two
/// for blobs on disk. Decides nothing about who may do what.
class Server {
 public:
  /// Listens when it returns. `service` is borrowed. Errors: kInvalid for an address or certificate files;
  /// kUnavailable, kDenied when the port cannot be had.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Service& service);
  /// The same on an address and port that were taken before; those of the options do not count.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Service& service, Listener listener);
  /// Stops at once when Stop was not called.
  ~Server();
  Server(const Server&) = delete;

  std::uint16_t port() const;
  /// Reads the certificate files again, for connections from now on. On an error the old ones stay.
  Result<> ReloadTls();
  /// No new connections and requests; what was asked is answered until `deadline`, then everything is closed.
  /// Idempotent.
  void Stop(Deadline deadline);
  Counters counters() const;  ///< as of now

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace writ::http

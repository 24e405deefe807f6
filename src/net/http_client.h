#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "net/event_stream.h"
#include "net/http1.h"
#include "net/http_endpoint.h"

namespace writ::net {

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  ///< path and query, encoded; the endpoint's base path goes before it
  Http1Fields fields{};      ///< Host, Connection and framing are set by the client
  std::string body{};
};

struct HttpResponse {
  unsigned status = 0;
  Http1Fields fields{};
  std::string body{};
};

struct HttpClientOptions {
  std::string ca_file{};  ///< PEM; trusted instead of the system's certificates; empty: the system's
  std::string client_cert_file{}, client_key_file{};  ///< PEM, both or none: for peers that want mutual TLS
  std::optional<ProxyAddr> proxy{};               ///< CONNECT for https, absolute targets for http
  Millis connect_timeout{10000};                  ///< for each address of the peer
  std::size_t body_bytes_max = 64 << 20;          ///< of answers that are kept in memory
};

/// One HTTP/1.1 peer, one kept connection. Blocking calls by one thread at a time; Cancel from any.
///
/// Errors of every call: kUnavailable when the peer cannot be reached, goes away in the middle of an answer, or after
/// Cancel (`cancelled`); kDeadline; kDenied when the peer's certificate does not hold; kCorrupt for an answer that is no
/// proper HTTP (net/http1.h, as strict as the proxy reads); kExhausted for an answer over a limit; kInvalid for fields
/// that are no HTTP. Any status that an answer has is a value, no error; redirects are not followed.
///
/// A kept connection is looked at before it is used again, so one that the peer closed meanwhile costs nothing. When it
/// closes in that very moment, GET and HEAD are sent once more; other methods are not, for the peer may have acted.
class HttpClient {
 public:
  /// Nothing is connected before the first call. Errors: kInvalid for certificate files that cannot be read.
  static Result<std::unique_ptr<HttpClient>> Create(HttpEndpoint endpoint, HttpClientOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  using Sink = std::function<Result<>(ByteView piece)>;
  using Source = std::function<Result<std::optional<std::string>>()>;

  Result<HttpResponse> Send(const HttpRequest& request, Deadline deadline);
  /// The body goes to `sink` piece by piece when the status is 200; the result has none then.
  Result<HttpResponse> Download(const HttpRequest& request, const Sink& sink, Deadline deadline);
  /// `source` gives `length_bytes` in pieces, then nullopt. An answer that comes before the end of the body ends the call.
  Result<HttpResponse> Upload(const HttpRequest& head, const Source& source, std::uint64_t length_bytes, Deadline deadline);
  /// Server-sent events until `sink` returns false or the stream ends. A status other than 200 is returned with its body
  /// and no event. A deadline for the whole stream; Deadline::Never() is fine with Cancel.
  Result<HttpResponse> Follow(const HttpRequest& request, const EventSink& sink, Deadline deadline);

  /// The running call and every later one fail.
  void Cancel() noexcept;
  bool cancelled() const noexcept;
  /// Waits; ends early with kUnavailable on Cancel. For pauses between attempts.
  Result<> Pause(Millis pause);

  const HttpEndpoint& endpoint() const;

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace writ::net

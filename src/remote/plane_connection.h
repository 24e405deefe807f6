#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "net/http_client.h"

namespace writ::remote {

/// What the last call was answered, for callers that branch on more than a code (`reasons`, `code`).
struct PlaneAnswer {
  unsigned status = 0;  ///< 0: there was no answer
  std::string body;
};

/// JSON calls to a plane over HTTP. One thread at a time; Cancel from any.
///
/// Errors of every call: those of net::HttpClient, and for an answer that is not a success: 400 and 409 kInvalid, 401 and
/// 403 kDenied, 404 kNotFound, 413 and 429 kExhausted, 5xx kUnavailable, with the plane's own `error` text, escaped and
/// cut to kErrorTextMax. What a plane sends is not trusted: it is bounded here and checked by whoever uses it.
/// Transport failures of reads and of blob uploads are tried three times, 100 ms and 200 ms apart; nothing else is
/// repeated, and an answer never is.
class PlaneConnection {
 public:
  static constexpr std::size_t kErrorTextMax = 2000;
  static constexpr Millis kTimeout{30000};

  /// `base_url` as net::ParseBaseUrl reads it; `bearer` may be empty. Connects with the first call.
  static Result<std::unique_ptr<PlaneConnection>> Open(std::string_view base_url, std::string bearer, net::HttpClientOptions options = {});
  explicit PlaneConnection(std::unique_ptr<net::HttpClient> http, std::string bearer = {});

  /// `path` starts with /v1/ and may carry a query; encode parts with PathPart.
  Result<canon::Json> Get(std::string_view path, Millis timeout = kTimeout);
  Result<std::string> GetText(std::string_view path, Millis timeout = kTimeout);  ///< the body as it is
  Result<canon::Json> Post(std::string_view path, const canon::Json& body, Millis timeout = kTimeout, const net::Http1Fields& fields = {});
  /// Sends a body that is JSON already.
  Result<canon::Json> PostText(std::string_view path, std::string body, Millis timeout = kTimeout, const net::Http1Fields& fields = {});

  /// Uploads and returns the hash. `bearer` instead of the connection's own, unless empty. Errors also: kCorrupt when
  /// the plane says another hash than the content has.
  Result<std::string> PutBlob(ByteView bytes, std::string_view bearer = {}, Millis timeout = kTimeout);
  /// Streams a blob to `sink`, hashing on the way. No bearer is sent: the hash is the permission. When the transfer
  /// breaks off after `sink` saw bytes it is not repeated. Errors also: kInvalid for a hash that is none; kCorrupt at
  /// the end when the content is another; kExhausted over `bytes_max`.
  Result<> GetBlob(std::string_view hash, const net::HttpClient::Sink& sink, std::uint64_t bytes_max, Millis timeout = kTimeout);
  /// The same into memory.
  Result<std::string> GetBlob(std::string_view hash, std::uint64_t bytes_max, Millis timeout = kTimeout);
  /// Server-sent events of `path` until `sink` returns false, the stream ends, or `deadline`.
  Result<> Follow(std::string_view path, const net::EventSink& sink, Deadline deadline);

  const PlaneAnswer& last_answer() const { return last_; }
  void set_bearer(std::string bearer) { bearer_ = std::move(bearer); }
  void Cancel() noexcept { http_->Cancel(); }  ///< the running call and all later ones fail with kUnavailable
  net::HttpClient& http() { return *http_; }

 private:
  net::HttpRequest Request(std::string_view method, std::string_view path, std::string_view bearer) const;
  Result<net::HttpResponse> Checked(Result<net::HttpResponse> answer);
  Result<net::HttpResponse> Repeated(const std::function<Result<net::HttpResponse>()>& attempt, const bool* stop = nullptr);
  Result<canon::Json> ReadJson(Result<net::HttpResponse> answer);

  std::unique_ptr<net::HttpClient> http_;
  std::string bearer_;
  PlaneAnswer last_;
};

/// Percent-encodes everything but letters, digits and `-._~`, for one segment of a path or one value of a query.
std::string PathPart(std::string_view text);

}  // namespace writ::remote

#include "net/http_client.h"

#include <array>
#include <utility>

#include "base/escape.h"
#include "net/client_stream.h"
#include "net/http1_body.h"

namespace writ::net {
namespace {

constexpr int kInterimMax = 8;                     // answers 1xx before the real one
constexpr std::size_t kErrorBodyMax = 1 << 20;     // of answers whose body was to go to a sink
constexpr std::size_t kPieceBytes = 64 << 10;

Error Refused(const Http1Refusal& refusal) { return {Code::kCorrupt, "the answer is no proper HTTP: " + refusal.reason}; }

/// Bytes of one connection, read ahead.
class Inbox {
 public:
  explicit Inbox(ClientStream& stream) : stream_(stream) {}
  std::string_view text() const { return std::string_view(bytes_).substr(at_); }
  void Consume(std::size_t count) {
    at_ += count;
    if (at_ == bytes_.size()) bytes_.clear(), at_ = 0;
  }
  /// False at the end of the stream.
  Result<bool> More(Deadline deadline) {
    if (at_ > kPieceBytes) bytes_.erase(0, std::exchange(at_, 0));
    auto got = stream_.Receive(piece_, deadline);
    if (!got) return std::unexpected(std::move(got).error());
    bytes_.append(AsText(ByteView(piece_).first(*got)));
    any_ = any_ || *got > 0;
    return *got > 0;
  }
  bool any() const { return any_; }  ///< whether anything ever came

 private:
  ClientStream& stream_;
  std::string bytes_;
  std::size_t at_ = 0;
  bool any_ = false;
  std::array<std::uint8_t, kPieceBytes> piece_;
};

Result<Http1ResponseHead> ReadHead(Inbox& inbox, Deadline deadline) {
  Http1HeadScanner scanner;
  for (;;) {
    const auto end = scanner.Scan(inbox.text());
    if (!end) return std::unexpected(Refused(end.error()));
    if (*end) {
      auto head = ParseResponseHead(inbox.text().substr(0, **end));
      if (!head) return std::unexpected(Refused(head.error()));
      inbox.Consume(**end);
      return *std::move(head);
    }
    if (!WRIT_TRY("answer", inbox.More(deadline))) {
      return Fail(Code::kUnavailable, "the connection was closed {}", inbox.any() ? "in the middle of an answer" : "before an answer came");
    }
  }
}

Result<> ReadBody(Inbox& inbox, const Http1Body& body, const HttpClient::Sink& sink, Deadline deadline) {
  const auto cut = [] { return Fail(Code::kUnavailable, "the connection was closed in the middle of an answer"); };
  if (body.framing == BodyFraming::kChunked) {
    ChunkedReader reader;
    for (;;) {
      const auto step = reader.Next(inbox.text());
      if (!step) return std::unexpected(Refused(step.error()));
      if (step->kind == ChunkedStep::Kind::kData) {
        if (auto taken = sink(AsBytes(step->data)); !taken) return taken;
      }
      inbox.Consume(step->consumed_bytes);
      if (step->kind == ChunkedStep::Kind::kEnd) return {};
      if (step->kind == ChunkedStep::Kind::kNeedMore && !WRIT_TRY("answer", inbox.More(deadline))) return cut();
    }
  }
  std::uint64_t left = body.framing == BodyFraming::kLength ? body.length_bytes : 0;
  const bool until_close = body.framing == BodyFraming::kUntilClose;
  while (until_close || left > 0) {
    if (inbox.text().empty() && !WRIT_TRY("answer", inbox.More(deadline))) {
      if (until_close) return {};
      return cut();
    }
    const std::string_view piece = inbox.text().substr(0, until_close ? inbox.text().npos : static_cast<std::size_t>(left));
    if (auto taken = sink(AsBytes(piece)); !taken) return taken;
    left -= until_close ? 0 : piece.size();
    inbox.Consume(piece.size());
  }
  return {};
}

}  // namespace

struct HttpClient::Impl {
  HttpEndpoint endpoint;
  HttpClientOptions options;
  std::unique_ptr<TlsClient> tls;
  Cancellation cancellation;
  std::optional<ClientStream> kept;

  /// How one call treats bodies.
  struct Exchange {
    const HttpRequest& request;
    const Source* source = nullptr;
    std::uint64_t length_bytes = 0;
    const Sink* sink = nullptr;  ///< for bodies of status 200
    bool until_close = false;    ///< whether the end of the connection may end the body
  };

  Result<std::string> Head(const Exchange& exchange) const {
    const HttpRequest& request = exchange.request;
    if (!request.target.starts_with('/')) return Fail(Code::kInvalid, "the target {} is no path", EscapeVisible(request.target, 200));
    Http1RequestHead head{.method = request.method, .target = endpoint.base_path + request.target, .minor = 1, .fields = request.fields};
    const bool plain_proxy = options.proxy && !endpoint.tls;
    if (plain_proxy) head.target = fmt::format("http://{}{}", endpoint.HostField(), head.target);
    RemoveHopByHop(head.fields);
    if (plain_proxy && !options.proxy->authorization.empty()) {
      SetField(head.fields, "Proxy-Authorization", options.proxy->authorization);
    }
    SetField(head.fields, "Host", endpoint.HostField());
    const std::uint64_t length = exchange.source != nullptr ? exchange.length_bytes : request.body.size();
    const bool has_body = exchange.source != nullptr || length > 0 || request.method == "POST" || request.method == "PUT";
    SetBodyFields(head.fields, has_body ? Http1Body{BodyFraming::kLength, length} : Http1Body{});
    auto text = WriteRequestHead(head);
    if (!text) return Fail(Code::kInvalid, "the request cannot be written: {}", text.error().reason);
    return *std::move(text);
  }

  Result<ClientStream> Connect(Deadline deadline) {
    const std::string& host = options.proxy ? options.proxy->host : endpoint.host;
    const std::uint16_t port = options.proxy ? options.proxy->port : endpoint.port;
    auto connected = ClientStream::Connect(host, port, options.connect_timeout, cancellation, deadline);
    if (!connected) return std::unexpected(std::move(connected).error().Doing(options.proxy ? "connect to the proxy" : "connect"));
    if (!endpoint.tls) return connected;
    if (options.proxy) WRIT_TRY("proxy", OpenTunnel(*connected, deadline));
    if (tls == nullptr) {
      tls = WRIT_TRY("TLS", TlsClient::Create({options.ca_file, options.client_cert_file, options.client_key_file}));
    }
    if (auto secured = connected->StartTls(*tls, endpoint.host, deadline); !secured) return std::unexpected(std::move(secured).error());
    return connected;
  }

  Result<> OpenTunnel(ClientStream& stream, Deadline deadline) {
    const std::string authority = endpoint.Authority();
    Http1RequestHead head{.method = "CONNECT", .target = authority, .minor = 1, .fields = {{"Host", authority}}};
    if (!options.proxy->authorization.empty()) head.fields.push_back({"Proxy-Authorization", options.proxy->authorization});
    const auto text = WriteRequestHead(head);
    if (!text) return Fail(Code::kInvalid, "{}", text.error().reason);
    WRIT_TRY("CONNECT", stream.Send(AsBytes(*text), deadline));
    Inbox inbox(stream);
    const auto answer = WRIT_TRY("CONNECT", ReadHead(inbox, deadline));
    if (answer.status / 100 != 2) {
      return Fail(Code::kUnavailable, "it answered {} {} to CONNECT {}", answer.status, EscapeVisible(answer.reason, 100), authority);
    }
    if (!inbox.text().empty()) return Fail(Code::kCorrupt, "it sent bytes before the tunnel was used");
    return {};
  }

  /// False: answered before everything was sent.
  Result<bool> SendBody(ClientStream& stream, const Exchange& exchange, Deadline deadline) {
    if (exchange.source == nullptr) {
      WRIT_TRY("body", stream.Send(AsBytes(exchange.request.body), deadline));
      return true;
    }
    std::uint64_t left = exchange.length_bytes;
    for (;;) {
      if (stream.Look() == ClientStream::Peek::kInput) return false;  // a refusal, most likely
      auto piece = (*exchange.source)();
      if (!piece) return std::unexpected(std::move(piece).error());
      if (!*piece) break;
      if ((*piece)->size() > left) return Fail(Code::kInvalid, "the upload is longer than it was announced");
      left -= (*piece)->size();
      WRIT_TRY("body", stream.Send(AsBytes(**piece), deadline));
    }
    if (left > 0) return Fail(Code::kInvalid, "the upload is shorter than it was announced");
    return true;
  }

  Result<bool> SendRequest(ClientStream& stream, const Exchange& exchange, const std::string& head, Deadline deadline) {
    // Small requests in one segment, so that the peer wakes once.
    const bool together = exchange.source == nullptr && exchange.request.body.size() <= kPieceBytes;
    WRIT_TRY("head", stream.Send(AsBytes(together ? head + exchange.request.body : head), deadline));
    return together ? Result<bool>(true) : SendBody(stream, exchange, deadline);
  }

  /// One attempt. `stale` comes back true when nothing of an answer came over a kept connection.
  Result<HttpResponse> Attempt(const Exchange& exchange, const std::string& head, Deadline deadline, bool& stale) {
    stale = false;
    const bool reused = kept.has_value() && kept->Look() == ClientStream::Peek::kNothing;
    if (!reused) kept.reset();
    ClientStream stream = reused ? *std::exchange(kept, std::nullopt) : WRIT_TRY("connect", Connect(deadline));
    auto sent = SendRequest(stream, exchange, head, deadline);
    // A peer that refuses a body answers and closes: its answer says more than the failed write.
    if (!sent && (sent.error().code != Code::kUnavailable || cancellation.cancelled())) return std::unexpected(std::move(sent).error());
    Inbox inbox(stream);
    auto answer = ReadAnswer(inbox, exchange, deadline, sent.value_or(false) ? &stream : nullptr);
    if (!answer && !inbox.any()) {
      stale = reused && !cancellation.cancelled() && answer.error().code == Code::kUnavailable;
      if (!sent) return std::unexpected(std::move(sent).error());
    }
    return answer;
  }

  Result<HttpResponse> ReadAnswer(Inbox& inbox, const Exchange& exchange, Deadline deadline, ClientStream* keep) {
    HttpResponse response;
    for (int interim = 0;; ++interim) {
      auto head = ReadHead(inbox, deadline);
      if (!head) return std::unexpected(std::move(head).error());
      if (head->status == 101) return Fail(Code::kCorrupt, "the peer switched protocols unasked");
      if (head->status < 200 && interim < kInterimMax) continue;
      if (head->status < 200) return Fail(Code::kCorrupt, "too many interim answers");
      const auto framing = ResponseBody(*head, exchange.request.method);
      if (!framing) return std::unexpected(Refused(framing.error()));
      response.status = head->status;
      const bool streamed = exchange.sink != nullptr && response.status == 200;
      // An end that anybody on the way could make is no end of a document.
      if (framing->framing == BodyFraming::kUntilClose && !exchange.until_close) {
        return Fail(Code::kCorrupt, "the answer does not say how long it is");
      }
      const std::size_t bytes_max = exchange.sink != nullptr ? kErrorBodyMax : options.body_bytes_max;
      const auto collect = [&](ByteView piece) -> Result<> {
        if (piece.size() > bytes_max - response.body.size()) return Fail(Code::kExhausted, "the answer is larger than {} bytes", bytes_max);
        response.body += AsText(piece);
        return {};
      };
      if (!streamed && framing->framing == BodyFraming::kLength && framing->length_bytes > bytes_max) {
        return Fail(Code::kExhausted, "the answer is larger than {} bytes", bytes_max);
      }
      auto read = ReadBody(inbox, *framing, streamed ? *exchange.sink : Sink(collect), deadline);
      if (!read) return std::unexpected(std::move(read).error());
      const bool open = keep != nullptr && framing->framing != BodyFraming::kUntilClose && KeepsOpen(head->minor, head->fields) &&
inbox.text().empty();
      response.fields = std::move(head->fields);
      if (open) kept.emplace(std::move(*keep));
      return response;
    }
  }

  Result<HttpResponse> Run(const Exchange& exchange, Deadline deadline) {
    const std::string head = WRIT_TRY("request", Head(exchange));
    bool stale = false;
    auto answer = Attempt(exchange, head, deadline, stale);
    const bool repeatable = exchange.request.method == "GET" || exchange.request.method == "HEAD";
    if (!answer && stale && repeatable) answer = Attempt(exchange, head, deadline, stale);
    return answer;
  }
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::Create(HttpEndpoint endpoint, HttpClientOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->endpoint = std::move(endpoint);
  impl->options = std::move(options);
  const HttpClientOptions& own = impl->options;
  // Files that were named are read now, so that a wrong name is said before anything is sent.
  if (impl->endpoint.tls && !(own.ca_file.empty() && own.client_cert_file.empty() && own.client_key_file.empty())) {
    impl->tls = WRIT_TRY("TLS", TlsClient::Create({own.ca_file, own.client_cert_file, own.client_key_file}));
  }
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

Result<HttpResponse> HttpClient::Send(const HttpRequest& request, Deadline deadline) {
  return impl_->Run({.request = request}, deadline);
}

Result<HttpResponse> HttpClient::Download(const HttpRequest& request, const Sink& sink, Deadline deadline) {
  return impl_->Run({.request = request, .sink = &sink}, deadline);
}

Result<HttpResponse> HttpClient::Upload(const HttpRequest& head, const Source& source, std::uint64_t length_bytes, Deadline deadline) {
  return impl_->Run({.request = head, .source = &source, .length_bytes = length_bytes}, deadline);
}

Result<HttpResponse> HttpClient::Follow(const HttpRequest& request, const EventSink& sink, Deadline deadline) {
  HttpRequest asked = request;
  SetField(asked.fields, "Accept", "text/event-stream");
  EventStreamReader reader;
  bool ended = false;
  const Sink pieces = [&](ByteView piece) -> Result<> {
    const bool more = WRIT_TRY("event stream", reader.Push(AsText(piece), sink));
    if (more) return {};
    ended = true;
    return Fail(Code::kUnavailable, "ended by the caller");
  };
  auto answer = impl_->Run({.request = asked, .sink = &pieces, .until_close = true}, deadline);
  if (!answer && ended) return HttpResponse{.status = 200, .fields = {}, .body = {}};
  return answer;
}

void HttpClient::Cancel() noexcept { impl_->cancellation.Cancel(); }
bool HttpClient::cancelled() const noexcept { return impl_->cancellation.cancelled(); }

Result<> HttpClient::Pause(Millis pause) {
  auto waited = impl_->cancellation.Wait(-1, 0, Deadline::After(pause));
  if (!waited && waited.error().code == Code::kDeadline) return {};
  return waited;
}

const HttpEndpoint& HttpClient::endpoint() const { return impl_->endpoint; }

}  // namespace writ::net

#include "secrets/https_get.h"

#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "base/escape.h"
#include "base/freed_by.h"
#include "net/http1.h"
#include "net/http1_body.h"
#include "net/tls_errors.h"
#include "sys/unique_fd.h"

namespace writ::secrets {
namespace {

using Library = std::unique_ptr<OSSL_LIB_CTX, FreedBy<OSSL_LIB_CTX_free>>;
using TlsContext = std::unique_ptr<SSL_CTX, FreedBy<SSL_CTX_free>>;
using Tls = std::unique_ptr<SSL, FreedBy<SSL_free>>;
using Addresses = std::unique_ptr<addrinfo, FreedBy<freeaddrinfo>>;

bool IsLoopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24 == 127;
  }
  return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

Result<> WaitFor(int fd, short events, Deadline deadline) {
  for (;;) {
    pollfd item{fd, events, 0};
    const int ready = ::poll(&item, 1, deadline.PollTimeoutMs());
    if (ready > 0) return {};
    if (ready == 0) return Fail(Code::kDeadline, "no answer in time");
    if (errno != EINTR) return FailErrno("poll");
  }
}

Result<sys::UniqueFd> ConnectTo(const addrinfo& address, Deadline deadline) {
  sys::UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno("socket");
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return FailErrno("connect");
    WRIT_TRY("connect", WaitFor(fd.get(), POLLOUT, deadline));
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return FailErrno("connect");
    if (error != 0) return std::unexpected(ErrnoError(error, "connect"));
  }
  return fd;
}

Result<sys::UniqueFd> Connect(const HttpsRequest& request, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(request.host.c_str(), std::to_string(request.port).c_str(), &hints, &found); failed != 0) {
    return Fail(Code::kUnavailable, "{}: {}", EscapeVisible(request.host), ::gai_strerror(failed));
  }
  const Addresses addresses(found);
  Error last{Code::kUnavailable, "the name has no address"};
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    if (!request.tls && !IsLoopback(address->ai_addr)) {
      last = {Code::kDenied, "plain http would show the token and the secret to the network; use https"};
      continue;
    }
    auto connected = ConnectTo(*address, deadline);
    if (connected) return connected;
    last = std::move(connected).error();
    if (last.code != Code::kDeadline) last.code = Code::kUnavailable;
    if (deadline.Passed()) break;
  }
  return std::unexpected(std::move(last).Doing(EscapeVisible(request.host)));
}

/// A connection, with TLS or without.
class Channel {
 public:
  static Result<Channel> Open(const HttpsRequest& request, Deadline deadline) {
    Channel channel(WRIT_TRY("connect", Connect(request, deadline)), deadline);
    if (request.tls) WRIT_TRY("TLS", channel.Handshake(request));
    return channel;
  }

  Result<> Send(ByteView bytes) {
    while (!bytes.empty()) {
      std::size_t sent = 0;
      if (tls_ != nullptr) {
        const int done = ::SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent);
        if (done != 1) {
          WRIT_TRY("send", WaitForTls(done));
          continue;
        }
      } else {
        const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
          WRIT_TRY("send", WaitFor(fd_.get(), POLLOUT, deadline_));
          continue;
        }
        if (put < 0) return std::unexpected(Error{Code::kUnavailable, ErrnoError(errno, "send").what});
        sent = static_cast<std::size_t>(put);
      }
      bytes = bytes.subspan(sent);
    }
    return {};
  }

  /// 0 at the end.
  Result<std::size_t> Receive(std::span<std::uint8_t> buffer) {
    for (;;) {
      if (deadline_.Passed()) return Fail(Code::kDeadline, "no complete answer in time");
      if (tls_ != nullptr) {
        std::size_t got = 0;
        const int done = ::SSL_read_ex(tls_.get(), buffer.data(), buffer.size(), &got);
        if (done == 1) return got;
        if (::SSL_get_error(tls_.get(), done) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
        WRIT_TRY("receive", WaitForTls(done));
        continue;
      }
      const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EAGAIN && errno != EINTR) return std::unexpected(Error{Code::kUnavailable, ErrnoError(errno, "receive").what});
      WRIT_TRY("receive", WaitFor(fd_.get(), POLLIN, deadline_));
    }
  }

 private:
  Channel(sys::UniqueFd fd, Deadline deadline) : fd_(std::move(fd)), deadline_(deadline) {}

  Result<> WaitForTls(int done) {
    switch (::SSL_get_error(tls_.get(), done)) {
      case SSL_ERROR_WANT_READ: return WaitFor(fd_.get(), POLLIN, deadline_);
      case SSL_ERROR_WANT_WRITE: return WaitFor(fd_.get(), POLLOUT, deadline_);
      default: return Fail(Code::kUnavailable, "{}", net::TlsErrors());
    }
  }

  Result<> Handshake(const HttpsRequest& request) {
    ::ERR_clear_error();
    library_.reset(::OSSL_LIB_CTX_new());
    context_.reset(::SSL_CTX_new_ex(library_.get(), nullptr, ::TLS_client_method()));
    if (context_ == nullptr) return Fail(Code::kInternal, "OpenSSL could not make a context");
    ::SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    ::SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    const int trusted = request.ca_file.empty() ? ::SSL_CTX_set_default_verify_paths(context_.get())
                                                : ::SSL_CTX_load_verify_file(context_.get(), request.ca_file.c_str());
    if (trusted != 1) return Fail(Code::kInvalid, "the trusted certificates {} cannot be read", EscapeVisible(request.ca_file));
    tls_.reset(::SSL_new(context_.get()));
    if (tls_ == nullptr || ::SSL_set_fd(tls_.get(), fd_.get()) != 1) return Fail(Code::kInternal, "OpenSSL could not make a session");
    // A name is checked as a name and sent as SNI, an address as an address.
    X509_VERIFY_PARAM* const verify = ::SSL_get0_param(tls_.get());
    if (::X509_VERIFY_PARAM_set1_ip_asc(verify, request.host.c_str()) != 1) {
      ::ERR_clear_error();
      ::SSL_set_hostflags(tls_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      if (::SSL_set1_host(tls_.get(), request.host.c_str()) != 1 ||
          ::SSL_set_tlsext_host_name(tls_.get(), request.host.c_str()) != 1) {
        return Fail(Code::kInvalid, "{} is no name a certificate can have", EscapeVisible(request.host));
      }
    }
    for (;;) {
      if (deadline_.Passed()) return Fail(Code::kDeadline, "no handshake in time");
      const int done = ::SSL_connect(tls_.get());
      if (done == 1) break;
      if (const long why = ::SSL_get_verify_result(tls_.get()); why != X509_V_OK) {
        return Fail(Code::kDenied, "the certificate of {} is not accepted: {}", EscapeVisible(request.host),
                    ::X509_verify_cert_error_string(why));
      }
      WRIT_TRY("handshake", WaitForTls(done));
    }
    return {};
  }

  sys::UniqueFd fd_;
  Deadline deadline_;
  Library library_;
  TlsContext context_;
  Tls tls_;
};

/// A peer that goes away while OpenSSL writes is an error, not a signal.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before_);
  }
  ~NoPipeSignal() { ::sigaction(SIGPIPE, &before_, nullptr); }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  struct sigaction before_{};
};

Error Refused(const net::Http1Refusal& refusal) { return {Code::kCorrupt, "the answer is no proper HTTP: " + refusal.reason}; }

/// What was received so far, in memory that is wiped.
class Inbox {
 public:
  explicit Inbox(Channel& channel) : channel_(channel), bytes_(kAnswerBytesMax) {}
  std::string_view text() const { return bytes_.text().substr(0, used_); }
  /// False at the end of the stream.
  Result<bool> More() {
    if (used_ == bytes_.size()) return Fail(Code::kExhausted, "the answer is larger than {} bytes", kAnswerBytesMax);
    const std::size_t got = WRIT_TRY("answer", channel_.Receive(bytes_.bytes().subspan(used_)));
    used_ += got;
    return got > 0;
  }

 private:
  Channel& channel_;
  crypto::SecretBytes bytes_;
  std::size_t used_ = 0;
};

Result<crypto::SecretBytes> ReadChunks(Inbox& inbox, std::size_t at) {
  crypto::SecretBytes body(kAnswerBytesMax);
  std::size_t size = 0;
  net::ChunkedReader reader;
  for (;;) {
    const auto step = reader.Next(inbox.text().substr(at));
    if (!step) return std::unexpected(Refused(step.error()));
    at += step->consumed_bytes;
    if (step->kind == net::ChunkedStep::Kind::kData) {
      if (step->data.size() > body.size() - size) return Fail(Code::kExhausted, "the answer is too large");
      std::ranges::copy(AsBytes(step->data), body.bytes().begin() + static_cast<std::ptrdiff_t>(size));
      size += step->data.size();
    } else if (step->kind == net::ChunkedStep::Kind::kEnd) {
      body.Shrink(size);
      return body;
    } else if (!WRIT_TRY("answer", inbox.More())) {
      return Fail(Code::kCorrupt, "the answer ends in the middle");
    }
  }
}

Result<HttpsAnswer> ReadAnswer(Channel& channel) {
  Inbox inbox(channel);
  net::Http1HeadScanner scanner;
  std::size_t head_size = 0;
  while (head_size == 0) {
    if (!WRIT_TRY("answer", inbox.More())) return Fail(Code::kCorrupt, "the answer ends in its head");
    const auto end = scanner.Scan(inbox.text());
    if (!end) return std::unexpected(Refused(end.error()));
    head_size = end->value_or(0);
  }
  const auto head = net::ParseResponseHead(inbox.text().substr(0, head_size));
  if (!head) return std::unexpected(Refused(head.error()));
  const auto framing = net::ResponseBody(*head, "GET");
  if (!framing) return std::unexpected(Refused(framing.error()));
  HttpsAnswer answer{head->status, {}};
  if (framing->framing == net::BodyFraming::kChunked) {
    answer.body = WRIT_TRY("answer", ReadChunks(inbox, head_size));
    return answer;
  }
  // Without a length the end of the stream could be anybody's: not taken as the end of a secret.
  if (framing->framing == net::BodyFraming::kUntilClose) return Fail(Code::kCorrupt, "the answer does not say how long it is");
  if (framing->length_bytes > kAnswerBytesMax) return Fail(Code::kExhausted, "the answer is larger than {} bytes", kAnswerBytesMax);
  while (inbox.text().size() < head_size + framing->length_bytes) {
    if (!WRIT_TRY("answer", inbox.More())) return Fail(Code::kCorrupt, "the answer ends in the middle");
  }
  answer.body = crypto::SecretBytes::CopyOf(AsBytes(inbox.text().substr(head_size, framing->length_bytes)));
  return answer;
}

}  // namespace

Result<HttpsAnswer> HttpsGet(const HttpsRequest& request, Deadline deadline) {
  const NoPipeSignal quiet;
  auto channel = WRIT_TRY("connect", Channel::Open(request, deadline));
  const bool bracketed = request.host.find(':') != request.host.npos;
  std::string head = fmt::format("GET {} HTTP/1.1\r\nHost: {}{}{}:{}\r\nConnection: close\r\nAccept: application/json\r\n", request.target,
                                 bracketed ? "[" : "", request.host, bracketed ? "]" : "", request.port);
  for (const auto& [name, value] : request.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (auto sent = channel.Send(AsBytes(head)); !sent) return std::unexpected(std::move(sent).error());
  if (request.secret_value != nullptr) {
    WRIT_TRY("ask", channel.Send(AsBytes(request.secret_header + ": ")));
    WRIT_TRY("ask", channel.Send(request.secret_value->bytes()));
    WRIT_TRY("ask", channel.Send(AsBytes("\r\n")));
  }
  WRIT_TRY("ask", channel.Send(AsBytes("\r\n")));
  return ReadAnswer(channel);
}

}  // namespace writ::secrets

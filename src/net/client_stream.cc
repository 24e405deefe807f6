#include "net/client_stream.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>
#include <utility>
#include <vector>

#include "base/escape.h"
#include "base/freed_by.h"
#include "net/tls_errors.h"

namespace writ::net {
namespace {

using TlsContext = std::unique_ptr<SSL_CTX, FreedBy<SSL_CTX_free>>;
using Tls = std::unique_ptr<SSL, FreedBy<SSL_free>>;
using BioMethod = std::unique_ptr<BIO_METHOD, FreedBy<BIO_meth_free>>;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// What a look-up leaves for whoever asked; it may be gone by then.
struct LookUp {
  std::string host, port;
  std::vector<SocketAddress> addresses;
  std::string failure;
  sys::UniqueFd done{::eventfd(0, EFD_CLOEXEC)};
};

void Resolve(LookUp& look_up, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(look_up.host.c_str(), look_up.port.c_str(), &hints, &found);
  if (failed != 0) look_up.failure = ::gai_strerror(failed);
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    SocketAddress one;
    std::memcpy(&one.storage, address->ai_addr, address->ai_addrlen);
    one.size = address->ai_addrlen;
    look_up.addresses.push_back(one);
  }
  if (found != nullptr) ::freeaddrinfo(found);
}

/// getaddrinfo(3) knows no deadline, so names are looked up by a thread that is left behind when it takes too long.
Result<std::vector<SocketAddress>> Addresses(const std::string& host, std::uint16_t port, const Cancellation& cancellation,
                                             Deadline deadline) {
  const auto look_up = std::make_shared<LookUp>();
  look_up->host = host;
  look_up->port = std::to_string(port);
  Resolve(*look_up, AI_NUMERICHOST);
  if (look_up->addresses.empty()) {
    if (!look_up->done.valid()) return FailErrno("eventfd");
    look_up->failure.clear();
    std::thread([look_up] {
      Resolve(*look_up, AI_ADDRCONFIG);
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t told = ::write(look_up->done.get(), &one, sizeof(one));
    }).detach();
    WRIT_TRY("look the name up", cancellation.Wait(look_up->done.get(), POLLIN, deadline));
    std::uint64_t told = 0;
    if (::read(look_up->done.get(), &told, sizeof(told)) != sizeof(told)) return FailErrno("eventfd");
  }
  if (look_up->addresses.empty()) return Fail(Code::kUnavailable, "{}", look_up->failure.empty() ? "no address" : look_up->failure);
  return std::move(look_up->addresses);
}

Result<sys::UniqueFd> ConnectTo(const SocketAddress& address, const Cancellation& cancellation, Deadline deadline) {
  sys::UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    if (errno != EINPROGRESS) return FailErrno("connect");
    WRIT_TRY("connect", cancellation.Wait(fd.get(), POLLOUT, deadline));
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return FailErrno("connect");
    if (error != 0) return std::unexpected(ErrnoError(error, "connect"));
  }
  const int on = 1;
  if (::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) return FailErrno("TCP_NODELAY");
  return fd;
}

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE; this one sends with MSG_NOSIGNAL.
int FdOf(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(::BIO_get_data(bio))); }

int BioWrite(BIO* bio, const char* data, std::size_t size, std::size_t* sent) {
  const ssize_t put = ::send(FdOf(bio), data, size, MSG_NOSIGNAL);
  ::BIO_clear_retry_flags(bio);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) ::BIO_set_retry_write(bio);
  *sent = put > 0 ? static_cast<std::size_t>(put) : 0;
  return put > 0 ? 1 : 0;
}

int BioRead(BIO* bio, char* data, std::size_t size, std::size_t* got) {
  const ssize_t put = ::recv(FdOf(bio), data, size, 0);
  ::BIO_clear_retry_flags(bio);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) ::BIO_set_retry_read(bio);
  *got = put > 0 ? static_cast<std::size_t>(put) : 0;
  return put > 0 ? 1 : 0;
}

long BioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

Cancellation::Cancellation() : event_(::eventfd(0, EFD_CLOEXEC)) {}

void Cancellation::Cancel() noexcept {
  cancelled_.store(true);
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then it is readable already.
  [[maybe_unused]] const ssize_t told = ::write(event_.get(), &one, sizeof(one));
}

Result<> Cancellation::Wait(int fd, short events, Deadline deadline) const {
  if (!event_.valid()) return Fail(Code::kExhausted, "no descriptor was left for waiting");
  for (;;) {
    if (cancelled()) return Fail(Code::kUnavailable, "cancelled");
    pollfd items[2] = {{event_.get(), POLLIN, 0}, {fd, events, 0}};
    const int ready = ::poll(items, 2, deadline.PollTimeoutMs());
    if (ready < 0 && errno != EINTR) return FailErrno("poll");
    if (ready > 0 && items[0].revents != 0) continue;
    if (ready > 0) return {};
    if (ready == 0 && deadline.Passed()) return Fail(Code::kDeadline, "no answer in time");
  }
}

namespace {

/// OpenSSL without its configuration file, one for all clients, and never freed: it notes in each thread what to tidy up
/// there at the thread's end, and of what another thread has freed meanwhile the note stays (OpenSSL 3.0). Connections
/// go from thread to thread.
OSSL_LIB_CTX* Library() {
  static OSSL_LIB_CTX* const library = ::OSSL_LIB_CTX_new();
  return library;
}

}  // namespace

struct TlsClient::Impl {
  TlsContext context;
  BioMethod method;
};

TlsClient::TlsClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsClient::~TlsClient() = default;

Result<std::unique_ptr<TlsClient>> TlsClient::Create(const TlsClientFiles& files) {
  ::ERR_clear_error();
  auto impl = std::make_unique<Impl>();
  if (Library() == nullptr) return Fail(Code::kInternal, "OpenSSL: {}", TlsErrors());  // null would mean the one with the file
  impl->context.reset(::SSL_CTX_new_ex(Library(), nullptr, ::TLS_client_method()));
  impl->method.reset(::BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals"));
  SSL_CTX* const context = impl->context.get();
  if (context == nullptr || impl->method == nullptr) return Fail(Code::kInternal, "OpenSSL: {}", TlsErrors());
  ::BIO_meth_set_write_ex(impl->method.get(), BioWrite);
  ::BIO_meth_set_read_ex(impl->method.get(), BioRead);
  ::BIO_meth_set_ctrl(impl->method.get(), BioControl);
  if (::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) return Fail(Code::kInternal, "OpenSSL: {}", TlsErrors());
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const int trusted = files.ca_file.empty() ? ::SSL_CTX_set_default_verify_paths(context)
                                            : ::SSL_CTX_load_verify_file(context, files.ca_file.c_str());
  if (trusted != 1) {
    return Fail(Code::kInvalid, "trusted certificates {}: {}", EscapeVisible(files.ca_file), TlsErrors());
  }
  if (files.client_cert_file.empty() != files.client_key_file.empty()) {
    return Fail(Code::kInvalid, "a client certificate needs its key, and a key its certificate");
  }
  if (!files.client_cert_file.empty() &&
      (::SSL_CTX_use_certificate_chain_file(context, files.client_cert_file.c_str()) != 1 ||
       ::SSL_CTX_use_PrivateKey_file(context, files.client_key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
       ::SSL_CTX_check_private_key(context) != 1)) {
    return Fail(Code::kInvalid, "client certificate {} and key {}: {}", EscapeVisible(files.client_cert_file),
                EscapeVisible(files.client_key_file), TlsErrors());
  }
  return std::unique_ptr<TlsClient>(new TlsClient(std::move(impl)));
}

struct ClientStream::Impl {
  sys::UniqueFd fd;
  const Cancellation* cancellation = nullptr;
  Tls tls;

  Result<> WaitForTls(int done, Deadline deadline) {
    switch (::SSL_get_error(tls.get(), done)) {
      case SSL_ERROR_WANT_READ: return cancellation->Wait(fd.get(), POLLIN, deadline);
      case SSL_ERROR_WANT_WRITE: return cancellation->Wait(fd.get(), POLLOUT, deadline);
      default: return Fail(Code::kUnavailable, "TLS: {}", TlsErrors());
    }
  }
};

ClientStream::ClientStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClientStream::~ClientStream() = default;
ClientStream::ClientStream(ClientStream&&) noexcept = default;
ClientStream& ClientStream::operator=(ClientStream&&) noexcept = default;

Result<ClientStream> ClientStream::Connect(const std::string& host, std::uint16_t port, Millis each, const Cancellation& cancellation,
                                           Deadline deadline) {
  const std::string peer = fmt::format("{}:{}", EscapeVisible(host), port);
  const auto addresses = WRIT_TRY(peer, Addresses(host, port, cancellation, deadline));
  Error last{Code::kUnavailable, "no address"};
  for (const SocketAddress& address : addresses) {
    auto fd = ConnectTo(address, cancellation, deadline.Earlier(Deadline::After(each)));
    if (fd) {
      auto impl = std::make_unique<Impl>();
      impl->fd = *std::move(fd);
      impl->cancellation = &cancellation;
      return ClientStream(std::move(impl));
    }
    last = std::move(fd).error();
    if (deadline.Passed() || cancellation.cancelled()) break;
    last.code = Code::kUnavailable;
  }
  return std::unexpected(std::move(last).Doing(peer));
}

Result<> ClientStream::StartTls(TlsClient& tls, const std::string& host, Deadline deadline) {
  ::ERR_clear_error();
  impl_->tls.reset(::SSL_new(tls.impl().context.get()));
  BIO* const bio = ::BIO_new(tls.impl().method.get());
  if (impl_->tls == nullptr || bio == nullptr) {
    ::BIO_free(bio);
    return Fail(Code::kInternal, "OpenSSL: {}", TlsErrors());
  }
  ::BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(impl_->fd.get())));
  ::BIO_set_init(bio, 1);
  SSL* const session = impl_->tls.get();
  ::SSL_set_bio(session, bio, bio);
  // A name is checked as a name and sent as SNI, an address as an address.
  if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(session), host.c_str()) != 1) {
    ::ERR_clear_error();
    ::SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (::SSL_set1_host(session, host.c_str()) != 1 || ::SSL_set_tlsext_host_name(session, host.c_str()) != 1) {
      return Fail(Code::kInvalid, "{} is no name a certificate can have", EscapeVisible(host));
    }
  }
  for (;;) {
    const int done = ::SSL_connect(session);
    if (done == 1) return {};
    if (const long why = ::SSL_get_verify_result(session); why != X509_V_OK) {
      ::ERR_clear_error();
      return Fail(Code::kDenied, "the certificate of {} is not accepted: {}", EscapeVisible(host), ::X509_verify_cert_error_string(why));
    }
    WRIT_TRY("TLS handshake", impl_->WaitForTls(done, deadline));
    if (deadline.Passed()) return Fail(Code::kDeadline, "TLS handshake: no answer in time");
  }
}

Result<> ClientStream::Send(ByteView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (impl_->cancellation->cancelled()) return Fail(Code::kUnavailable, "cancelled");
    if (deadline.Passed()) return Fail(Code::kDeadline, "send: not taken in time");
    std::size_t sent = 0;
    if (impl_->tls != nullptr) {
      ::ERR_clear_error();
      const int done = ::SSL_write_ex(impl_->tls.get(), bytes.data(), bytes.size(), &sent);
      if (done != 1) {
        WRIT_TRY("send", impl_->WaitForTls(done, deadline));
        continue;
      }
    } else {
      const ssize_t put = ::send(impl_->fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
        WRIT_TRY("send", impl_->cancellation->Wait(impl_->fd.get(), POLLOUT, deadline));
        continue;
      }
      if (put < 0) return std::unexpected(Error{Code::kUnavailable, ErrnoError(errno, "send").what});
      sent = static_cast<std::size_t>(put);
    }
    bytes = bytes.subspan(sent);
  }
  return {};
}

Result<std::size_t> ClientStream::Receive(std::span<std::uint8_t> buffer, Deadline deadline) {
  for (;;) {
    if (impl_->cancellation->cancelled()) return Fail(Code::kUnavailable, "cancelled");
    if (deadline.Passed()) return Fail(Code::kDeadline, "no answer in time");
    if (impl_->tls != nullptr) {
      ::ERR_clear_error();
      std::size_t got = 0;
      const int done = ::SSL_read_ex(impl_->tls.get(), buffer.data(), buffer.size(), &got);
      if (done == 1) return got;
      if (::SSL_get_error(impl_->tls.get(), done) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
      WRIT_TRY("receive", impl_->WaitForTls(done, deadline));
      continue;
    }
    const ssize_t got = ::recv(impl_->fd.get(), buffer.data(), buffer.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EAGAIN && errno != EINTR) return std::unexpected(Error{Code::kUnavailable, ErrnoError(errno, "receive").what});
    WRIT_TRY("receive", impl_->cancellation->Wait(impl_->fd.get(), POLLIN, deadline));
  }
}

ClientStream::Peek ClientStream::Look() {
  std::uint8_t byte = 0;
  if (impl_->tls != nullptr) {
    ::ERR_clear_error();
    std::size_t got = 0;
    const int done = ::SSL_peek_ex(impl_->tls.get(), &byte, 1, &got);  // reads session tickets on the way
    if (done == 1) return Peek::kInput;
    return ::SSL_get_error(impl_->tls.get(), done) == SSL_ERROR_WANT_READ ? Peek::kNothing : Peek::kClosed;
  }
  const ssize_t got = ::recv(impl_->fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return Peek::kInput;
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? Peek::kNothing : Peek::kClosed;
}

}  // namespace writ::net

#include "egress/tls_stream.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "egress/openssl_owned.h"

namespace writ::egress {

/// What is under TLS: the socket, and what was read from it before.
struct TlsWire {
  int socket = -1;
  std::string early;
};

namespace {

TlsWire& WireOf(BIO* bio) { return *static_cast<TlsWire*>(::BIO_get_data(bio)); }

int WireRead(BIO* bio, char* buffer, int size) {
  TlsWire& wire = WireOf(bio);
  ::BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  if (!wire.early.empty()) {
    const auto count = std::min(wire.early.size(), static_cast<std::size_t>(size));
    std::memcpy(buffer, wire.early.data(), count);
    wire.early.erase(0, count);
    return static_cast<int>(count);
  }
  const Io io = Receive(wire.socket, buffer, static_cast<std::size_t>(size));
  if (io.end == IoEnd::kBlocked) BIO_set_retry_read(bio);
  if (io.end == IoEnd::kEnd) return 0;
  return io.end == IoEnd::kMoved ? static_cast<int>(io.bytes) : -1;
}

int WireWrite(BIO* bio, const char* bytes, int size) {
  ::BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  const Io io = Send(WireOf(bio).socket, bytes, static_cast<std::size_t>(size));
  if (io.end == IoEnd::kBlocked) BIO_set_retry_write(bio);
  return io.end == IoEnd::kMoved ? static_cast<int>(io.bytes) : -1;
}

long WireControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

/// OpenSSL's own socket BIO writes without MSG_NOSIGNAL, and cannot be given bytes that were read already.
BIO_METHOD* WireMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "writ wire");
    if (made == nullptr) return made;
    ::BIO_meth_set_read(made, WireRead);
    ::BIO_meth_set_write(made, WireWrite);
    ::BIO_meth_set_ctrl(made, WireControl);
    return made;
  }();
  return method;
}

std::string FirstError() {
  const char* reason = ::ERR_reason_error_string(::ERR_peek_error());
  return reason == nullptr ? "the connection was closed" : reason;
}

}  // namespace

std::string_view ProtocolName(HttpVersion version) {
  return version == HttpVersion::kHttp2 ? "h2" : "http/1.1";
}

struct TlsStream::Parts {
  TlsWire wire;
  std::unique_ptr<SSL, FreedBy<SSL_free>> tls;
};

TlsStream::TlsStream(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::Make(SSL_CTX* context, int socket, std::string early) {
  ::ERR_clear_error();
  auto parts = std::make_unique<Parts>();
  parts->wire = {socket, std::move(early)};
  parts->tls.reset(::SSL_new(context));
  BIO_METHOD* const method = WireMethod();
  BIO* const bio = method == nullptr ? nullptr : ::BIO_new(method);
  if (!parts->tls || bio == nullptr) {
    ::BIO_free(bio);
    return Fail(Code::kInternal, "OpenSSL could not make a session");
  }
  ::BIO_set_data(bio, &parts->wire);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(parts->tls.get(), bio, bio);  // takes the one reference
  ::SSL_set_read_ahead(parts->tls.get(), 1);
  ::SSL_set_mode(parts->tls.get(),
                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(parts)));
}

Result<std::unique_ptr<TlsStream>> TlsStream::Server(SSL_CTX* context, int socket, std::string early,
                                                     HttpVersion version) {
  auto stream = WRIT_TRY("TLS with the job", Make(context, socket, std::move(early)));
  static constexpr unsigned char kHttp1[] = "\x08http/1.1", kHttp2[] = "\x02h2";  // CertificateAuthority's contexts read it
  SSL_set_app_data(stream->parts_->tls.get(), const_cast<unsigned char*>(version == HttpVersion::kHttp2 ? kHttp2 : kHttp1));
  ::SSL_set_accept_state(stream->parts_->tls.get());
  return stream;
}

Result<std::unique_ptr<TlsStream>> TlsStream::Client(SSL_CTX* context, int socket, const net::Host& host,
                                                     std::span<const HttpVersion> offered) {
  auto stream = WRIT_TRY("TLS with the upstream", Make(context, socket, {}));
  SSL* const tls = stream->parts_->tls.get();
  const std::string name = host.ToText();
  bool named = false;
  if (host.address) {
    named = ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(tls), name.c_str()) == 1;
  } else {
    ::SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    named = ::SSL_set1_host(tls, name.c_str()) == 1 && ::SSL_set_tlsext_host_name(tls, name.c_str()) == 1;
  }
  std::string protocols;
  for (const HttpVersion version : offered) {
    const std::string_view protocol = ProtocolName(version);
    protocols += static_cast<char>(protocol.size());
    protocols += protocol;
  }
  named = named && ::SSL_set_alpn_protos(tls, reinterpret_cast<const unsigned char*>(protocols.data()),
                                         static_cast<unsigned>(protocols.size())) == 0;
  if (!named) return Fail(Code::kInternal, "OpenSSL could not be told whom to expect");
  ::SSL_set_connect_state(tls);
  return stream;
}

HttpVersion TlsStream::version() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(parts_->tls.get(), &chosen, &size);
  const std::string_view name(reinterpret_cast<const char*>(chosen), size);
  return name == ProtocolName(HttpVersion::kHttp2) ? HttpVersion::kHttp2 : HttpVersion::kHttp1;
}

Io TlsStream::Outcome(int returned, std::size_t moved) {
  if (returned == 1) return {IoEnd::kMoved, moved};
  switch (::SSL_get_error(parts_->tls.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {IoEnd::kBlocked, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {IoEnd::kEnd, 0};
    default:
      break;
  }
  const long verified = ::SSL_get_verify_result(parts_->tls.get());
  failure_ = verified == X509_V_OK
                 ? FirstError()
                 : fmt::format("its certificate is not accepted: {}", ::X509_verify_cert_error_string(verified));
  return {IoEnd::kBroken, 0};
}

Io TlsStream::Handshake() {
  ::ERR_clear_error();
  return Outcome(::SSL_do_handshake(parts_->tls.get()), 0);
}

Io TlsStream::Read(char* buffer, std::size_t bytes_max) {
  ::ERR_clear_error();
  std::size_t count = 0;
  const int returned = ::SSL_read_ex(parts_->tls.get(), buffer, bytes_max, &count);
  return Outcome(returned, count);
}

Io TlsStream::Write(const char* bytes, std::size_t count) {
  ::ERR_clear_error();
  std::size_t written = 0;
  const int returned = ::SSL_write_ex(parts_->tls.get(), bytes, count, &written);
  return Outcome(returned, written);
}

void TlsStream::EndWriting() {
  ::ERR_clear_error();
  static_cast<void>(::SSL_shutdown(parts_->tls.get()));  // where it cannot be said, the end of the connection follows
}

}  // namespace writ::egress

#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/escape.h"
#include "net/tls_errors.h"

namespace writ::http {
namespace {

/// The one protocol that is spoken here, for clients that offer several.
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kOwn[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, size, kOwn, sizeof(kOwn) - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::shared_ptr<asio::ssl::context>> MakeTls(const TlsFiles& files) {
  ::ERR_clear_error();
  SSL_CTX* const native = ::SSL_CTX_new(::TLS_server_method());
  if (native == nullptr) return Fail(Code::kInternal, "OpenSSL: {}", net::TlsErrors());
  auto context = std::make_shared<asio::ssl::context>(native);  // owns it
  ::SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  if (::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) != 1) return Fail(Code::kInternal, "OpenSSL: {}", net::TlsErrors());
  if (::SSL_CTX_use_certificate_chain_file(native, files.cert_file.c_str()) != 1) {
    return Fail(Code::kInvalid, "certificate {}: {}", EscapeVisible(files.cert_file), net::TlsErrors());
  }
  if (::SSL_CTX_use_PrivateKey_file(native, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1 || ::SSL_CTX_check_private_key(native) != 1) {
    return Fail(Code::kInvalid, "key {} of certificate {}: {}", EscapeVisible(files.key_file), EscapeVisible(files.cert_file), net::TlsErrors());
  }
  if (!files.client_ca_file.empty()) {
    STACK_OF(X509_NAME)* names = ::SSL_load_client_CA_file(files.client_ca_file.c_str());
    if (names == nullptr || ::SSL_CTX_load_verify_file(native, files.client_ca_file.c_str()) != 1) {
      return Fail(Code::kInvalid, "certificates of clients {}: {}", EscapeVisible(files.client_ca_file), net::TlsErrors());
    }
    ::SSL_CTX_set_client_CA_list(native, names);
    ::SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    static constexpr unsigned char kSession[] = "writ";
    ::SSL_CTX_set_session_id_context(native, kSession, sizeof(kSession) - 1);
  }
  ::SSL_CTX_set_alpn_select_cb(native, SelectProtocol, nullptr);
  return context;
}

}  // namespace writ::http

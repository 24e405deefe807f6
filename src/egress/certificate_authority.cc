#include "egress/certificate_authority.h"

#include <openssl/x509v3.h>

#include <array>
#include <map>
#include <mutex>
#include <string_view>

#include "crypto/certificate.h"
#include "egress/openssl_owned.h"

namespace writ::egress {
namespace {

using crypto::ExtendCertificate;
using crypto::OpenSslFailed;

constexpr std::chrono::hours kLife{24 * 7};
constexpr std::size_t kCommonNameMax = 64;  // RFC 5280 appendix A.1, ub-common-name

bool Name(X509_NAME* name, std::string_view common_name) {
  const auto add = [&](const char* field, std::string_view text) {
    return ::X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.data()),
                                        static_cast<int>(text.size()), -1, 0) == 1;
  };
  return add("O", "Writ") && (common_name.size() > kCommonNameMax || add("CN", common_name));
}

/// Chooses the one protocol that the session was made for (TlsStream::Server), HTTP/1.1 by default; a client that offers
/// only others hears so (RFC 7301 section 3.2).
int ChooseProtocol(SSL* tls, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                   void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  const auto* wanted = static_cast<const unsigned char*>(SSL_get_app_data(tls));
  if (wanted == nullptr) wanted = kHttp11;
  unsigned char* chosen = nullptr;
  const int found = ::SSL_select_next_proto(&chosen, out_size, wanted, wanted[0] + 1U, in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

struct CertificateAuthority::Parts {
  Result<TlsContext> MakeContext(const net::Host& host);

  TlsLibrary library;
  WallTime made;
  Key key, leaf_key;  // one key for all hosts: whoever has one of them has the memory of this process
  Certificate certificate;
  std::string pem, sha256;
  std::mutex mutex;  ///< guards contexts
  std::map<std::string, TlsContext> contexts;
};

CertificateAuthority::CertificateAuthority(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CertificateAuthority::~CertificateAuthority() = default;

const std::string& CertificateAuthority::certificate_pem() const { return parts_->pem; }

const std::string& CertificateAuthority::certificate_sha256() const { return parts_->sha256; }

Result<std::shared_ptr<CertificateAuthority>> CertificateAuthority::Make(WallTime now) {
  auto parts = std::make_unique<Parts>();
  parts->made = now;
  parts->library.reset(::OSSL_LIB_CTX_new());
  if (!parts->library) return OpenSslFailed("a library context");
  parts->key.reset(::EVP_PKEY_Q_keygen(parts->library.get(), nullptr, "EC", "P-256"));
  parts->leaf_key.reset(::EVP_PKEY_Q_keygen(parts->library.get(), nullptr, "EC", "P-256"));
  if (!parts->key || !parts->leaf_key) return OpenSslFailed("making a key");
  parts->certificate = WRIT_TRY("certificate authority", crypto::BeginCertificate(parts->key.get(), now, kLife));
  X509* const own = parts->certificate.get();
  const bool done = Name(::X509_get_subject_name(own), "Writ, authority of one run") &&
                    ::X509_set_issuer_name(own, ::X509_get_subject_name(own)) == 1 &&
                    ExtendCertificate(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    ExtendCertificate(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    ExtendCertificate(own, own, NID_subject_key_identifier, "hash") &&
                    ::X509_sign(own, parts->key.get(), ::EVP_sha256()) > 0;
  if (!done) return OpenSslFailed("signing the authority's certificate");
  parts->pem = WRIT_TRY("certificate authority", crypto::CertificatePem(own));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (::X509_digest(own, ::EVP_sha256(), digest.data(), &size) != 1) return OpenSslFailed("hashing a certificate");
  for (unsigned i = 0; i < size; ++i) parts->sha256 += fmt::format("{:02x}", digest[i]);
  return std::shared_ptr<CertificateAuthority>(new CertificateAuthority(std::move(parts)));
}

Result<TlsContext> CertificateAuthority::Parts::MakeContext(const net::Host& host) {
  const Certificate leaf = WRIT_TRY("certificate", crypto::BeginCertificate(leaf_key.get(), made, kLife));
  const std::string text = host.ToText();
  const std::string names = (host.address ? "IP:" : "DNS:") + text;
  const bool made_leaf = Name(::X509_get_subject_name(leaf.get()), text) &&
                         ::X509_set_issuer_name(leaf.get(), ::X509_get_subject_name(certificate.get())) == 1 &&
                         ExtendCertificate(leaf.get(), certificate.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                         ExtendCertificate(leaf.get(), certificate.get(), NID_key_usage, "critical,digitalSignature") &&
                         ExtendCertificate(leaf.get(), certificate.get(), NID_ext_key_usage, "serverAuth") &&
                         ExtendCertificate(leaf.get(), certificate.get(), NID_subject_alt_name, names) &&
                         ExtendCertificate(leaf.get(), certificate.get(), NID_subject_key_identifier, "hash") &&
                         ExtendCertificate(leaf.get(), certificate.get(), NID_authority_key_identifier, "keyid:always") &&
                         ::X509_sign(leaf.get(), key.get(), ::EVP_sha256()) > 0;
  if (!made_leaf) return OpenSslFailed("signing a certificate");
  TlsContext context(::SSL_CTX_new_ex(library.get(), nullptr, ::TLS_server_method()));
  const bool ready = context && ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
                     ::SSL_CTX_use_certificate(context.get(), leaf.get()) == 1 &&
                     ::SSL_CTX_use_PrivateKey(context.get(), leaf_key.get()) == 1 &&
                     ::SSL_CTX_set_num_tickets(context.get(), 0) == 1;
  if (!ready) return OpenSslFailed("a server context");
  ::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  ::SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, nullptr);
  return context;
}

Result<ssl_ctx_st*> CertificateAuthority::ServerContext(const net::Host& host) {
  const std::lock_guard lock(parts_->mutex);
  auto& contexts = parts_->contexts;
  const std::string name = host.ToText();
  auto found = contexts.find(name);
  if (found == contexts.end()) {
    if (contexts.size() >= kHostsMax) contexts.clear();
    found = contexts.emplace(name, WRIT_TRY("intercept", parts_->MakeContext(host))).first;
  }
  if (::SSL_CTX_up_ref(found->second.get()) != 1) return OpenSslFailed("a reference");
  return found->second.get();
}

}  // namespace writ::egress

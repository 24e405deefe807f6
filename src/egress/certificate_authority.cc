#include "egress/certificate_authority.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <map>
#include <mutex>
#include <string_view>

#include "base/ids.h"
#include "egress/openssl_owned.h"

namespace writ::egress {
namespace {

constexpr std::chrono::hours kClockSkew{1}, kLife{24 * 7};
constexpr std::size_t kCommonNameMax = 64;  // RFC 5280 appendix A.1, ub-common-name

std::unexpected<Error> Failed(std::string_view step) {
  ::ERR_clear_error();
  return Fail(Code::kInternal, "OpenSSL: {} failed", step);
}

std::time_t Seconds(WallTime time) {
  return std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
}

/// Version 3 with a random serial (RFC 5280 section 4.1.2.2: positive, at most 20 octets), key and validity.
Result<Certificate> Begin(EVP_PKEY* key, WallTime made) {
  Certificate certificate(::X509_new());
  std::array<std::uint8_t, 16> random{};
  FillRandom(random);
  random[0] = static_cast<std::uint8_t>((random[0] & 0x3FU) | 0x40U);
  const std::unique_ptr<BIGNUM, FreedBy<BN_free>> serial(::BN_bin2bn(random.data(), random.size(), nullptr));
  const bool done = certificate && serial && ::X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                    ::BN_to_ASN1_INTEGER(serial.get(), ::X509_get_serialNumber(certificate.get())) != nullptr &&
                    ::ASN1_TIME_set(::X509_getm_notBefore(certificate.get()), Seconds(made - kClockSkew)) != nullptr &&
                    ::ASN1_TIME_set(::X509_getm_notAfter(certificate.get()), Seconds(made + kLife)) != nullptr &&
                    ::X509_set_pubkey(certificate.get(), key) == 1;
  if (!done) return Failed("a new certificate");
  return certificate;
}

bool Name(X509_NAME* name, std::string_view common_name) {
  const auto add = [&](const char* field, std::string_view text) {
    return ::X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.data()),
                                        static_cast<int>(text.size()), -1, 0) == 1;
  };
  return add("O", "Writ") && (common_name.size() > kCommonNameMax || add("CN", common_name));
}

bool Extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>> extension(
      ::X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

Result<std::string> ToPem(X509* certificate) {
  const std::unique_ptr<BIO, FreedBy<BIO_free>> memory(::BIO_new(::BIO_s_mem()));
  if (!memory || ::PEM_write_bio_X509(memory.get(), certificate) != 1) return Failed("writing a certificate");
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
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
  if (!parts->library) return Failed("a library context");
  parts->key.reset(::EVP_PKEY_Q_keygen(parts->library.get(), nullptr, "EC", "P-256"));
  parts->leaf_key.reset(::EVP_PKEY_Q_keygen(parts->library.get(), nullptr, "EC", "P-256"));
  if (!parts->key || !parts->leaf_key) return Failed("making a key");
  parts->certificate = WRIT_TRY("certificate authority", Begin(parts->key.get(), now));
  X509* const own = parts->certificate.get();
  const bool done = Name(::X509_get_subject_name(own), "Writ, authority of one run") &&
                    ::X509_set_issuer_name(own, ::X509_get_subject_name(own)) == 1 &&
                    Extend(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    Extend(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    Extend(own, own, NID_subject_key_identifier, "hash") &&
                    ::X509_sign(own, parts->key.get(), ::EVP_sha256()) > 0;
  if (!done) return Failed("signing the authority's certificate");
  parts->pem = WRIT_TRY("certificate authority", ToPem(own));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (::X509_digest(own, ::EVP_sha256(), digest.data(), &size) != 1) return Failed("hashing a certificate");
  for (unsigned i = 0; i < size; ++i) parts->sha256 += fmt::format("{:02x}", digest[i]);
  return std::shared_ptr<CertificateAuthority>(new CertificateAuthority(std::move(parts)));
}

Result<TlsContext> CertificateAuthority::Parts::MakeContext(const net::Host& host) {
  const Certificate leaf = WRIT_TRY("certificate", Begin(leaf_key.get(), made));
  const std::string text = host.ToText();
  const std::string names = (host.address ? "IP:" : "DNS:") + text;
  const bool made_leaf = Name(::X509_get_subject_name(leaf.get()), text) &&
                         ::X509_set_issuer_name(leaf.get(), ::X509_get_subject_name(certificate.get())) == 1 &&
                         Extend(leaf.get(), certificate.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                         Extend(leaf.get(), certificate.get(), NID_key_usage, "critical,digitalSignature") &&
                         Extend(leaf.get(), certificate.get(), NID_ext_key_usage, "serverAuth") &&
                         Extend(leaf.get(), certificate.get(), NID_subject_alt_name, names) &&
                         Extend(leaf.get(), certificate.get(), NID_subject_key_identifier, "hash") &&
                         Extend(leaf.get(), certificate.get(), NID_authority_key_identifier, "keyid:always") &&
                         ::X509_sign(leaf.get(), key.get(), ::EVP_sha256()) > 0;
  if (!made_leaf) return Failed("signing a certificate");
  TlsContext context(::SSL_CTX_new_ex(library.get(), nullptr, ::TLS_server_method()));
  const bool ready = context && ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
                     ::SSL_CTX_use_certificate(context.get(), leaf.get()) == 1 &&
                     ::SSL_CTX_use_PrivateKey(context.get(), leaf_key.get()) == 1 &&
                     ::SSL_CTX_set_num_tickets(context.get(), 0) == 1;
  if (!ready) return Failed("a server context");
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
  if (::SSL_CTX_up_ref(found->second.get()) != 1) return Failed("a reference");
  return found->second.get();
}

}  // namespace writ::egress

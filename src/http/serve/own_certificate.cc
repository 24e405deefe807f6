#include "http/serve/own_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>

#include "base/freed_by.h"
#include "crypto/certificate.h"

namespace writ::http {
namespace {

using crypto::ExtendCertificate;
using crypto::OpenSslFailed;

constexpr std::chrono::hours kLife{24 * 3650};

}  // namespace

Result<OwnCertificate> MakeOwnCertificate(WallTime now) {
  const crypto::CertificateKey key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) return OpenSslFailed("making a key");
  const crypto::Certificate certificate = WRIT_TRY("own certificate", crypto::BeginCertificate(key.get(), now, kLife));
  X509* const own = certificate.get();
  static constexpr unsigned char kName[] = "Writ, runner of this plane";
  const bool complete = ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(own), "CN", MBSTRING_ASC, kName, sizeof(kName) - 1, -1, 0) == 1 &&
                        ::X509_set_issuer_name(own, ::X509_get_subject_name(own)) == 1 &&
                        ExtendCertificate(own, own, NID_basic_constraints, "critical,CA:FALSE") &&
                        ExtendCertificate(own, own, NID_key_usage, "critical,digitalSignature") &&
                        ExtendCertificate(own, own, NID_subject_alt_name, "IP:127.0.0.1") &&
                        ExtendCertificate(own, own, NID_ext_key_usage, "serverAuth,clientAuth") &&
                        ::X509_sign(own, key.get(), ::EVP_sha256()) > 0;
  if (!complete) return OpenSslFailed("signing a certificate");
  const std::unique_ptr<BIO, FreedBy<BIO_free>> kept(::BIO_new(::BIO_s_secmem()));
  if (!kept || ::PEM_write_bio_PKCS8PrivateKey(kept.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return OpenSslFailed("writing a key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(kept.get(), &text);
  return OwnCertificate{WRIT_TRY("own certificate", crypto::CertificatePem(own)), std::string(text, static_cast<std::size_t>(size))};
}

}  // namespace writ::http

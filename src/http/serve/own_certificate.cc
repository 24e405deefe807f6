#include "http/serve/own_certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>
#include <memory>

#include "base/freed_by.h"
#include "base/ids.h"

namespace writ::http {
namespace {

constexpr std::chrono::hours kClockSkew{1}, kLife{24 * 3650};

using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using Memory = std::unique_ptr<BIO, FreedBy<BIO_free>>;

std::unexpected<Error> Failed(std::string_view step) {
  ::ERR_clear_error();
  return Fail(Code::kInternal, "OpenSSL: {} failed", step);
}

std::time_t Seconds(WallTime time) {
  return std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
}

bool Extend(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>> extension(
      ::X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string TextOf(BIO* memory) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

Result<OwnCertificate> MakeOwnCertificate(WallTime now) {
  const Key key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const Certificate certificate(::X509_new());
  std::array<std::uint8_t, 16> random{};
  FillRandom(random);
  random[0] = static_cast<std::uint8_t>((random[0] & 0x3FU) | 0x40U);  // RFC 5280 section 4.1.2.2: positive
  const std::unique_ptr<BIGNUM, FreedBy<BN_free>> serial(::BN_bin2bn(random.data(), random.size(), nullptr));
  if (!key || !certificate || !serial) return Failed("a new key");
  X509* const own = certificate.get();
  static constexpr unsigned char kName[] = "Writ, runner of this plane";
  const bool made = ::X509_set_version(own, X509_VERSION_3) == 1 &&
                    ::BN_to_ASN1_INTEGER(serial.get(), ::X509_get_serialNumber(own)) != nullptr &&
                    ::ASN1_TIME_set(::X509_getm_notBefore(own), Seconds(now - kClockSkew)) != nullptr &&
                    ::ASN1_TIME_set(::X509_getm_notAfter(own), Seconds(now + kLife)) != nullptr &&
                    ::X509_set_pubkey(own, key.get()) == 1 &&
                    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(own), "CN", MBSTRING_ASC, kName, sizeof(kName) - 1, -1, 0) == 1 &&
                    ::X509_set_issuer_name(own, ::X509_get_subject_name(own)) == 1 &&
                    Extend(own, NID_basic_constraints, "critical,CA:FALSE") &&
                    Extend(own, NID_key_usage, "critical,digitalSignature") &&
                    Extend(own, NID_subject_alt_name, "IP:127.0.0.1") &&
                    Extend(own, NID_ext_key_usage, "serverAuth,clientAuth") && ::X509_sign(own, key.get(), ::EVP_sha256()) > 0;
  if (!made) return Failed("signing a certificate");
  const Memory shown(::BIO_new(::BIO_s_mem())), kept(::BIO_new(::BIO_s_secmem()));
  if (!shown || !kept || ::PEM_write_bio_X509(shown.get(), own) != 1 ||
      ::PEM_write_bio_PKCS8PrivateKey(kept.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return Failed("writing a certificate");
  return OwnCertificate{TextOf(shown.get()), TextOf(kept.get())};
}

}  // namespace writ::http

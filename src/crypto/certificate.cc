#include "crypto/certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>

#include "base/ids.h"

namespace writ::crypto {
namespace {

constexpr std::chrono::hours kClockSkew{1};

std::time_t Seconds(WallTime time) { return std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time)); }

}  // namespace

std::unexpected<Error> OpenSslFailed(std::string_view step) {
  ::ERR_clear_error();
  return Fail(Code::kInternal, "OpenSSL: {} failed", step);
}

Result<Certificate> BeginCertificate(EVP_PKEY* key, WallTime now, std::chrono::hours life) {
  Certificate made(::X509_new());
  std::array<std::uint8_t, 16> random{};
  FillRandom(random);
  random[0] = static_cast<std::uint8_t>((random[0] & 0x3FU) | 0x40U);
  const std::unique_ptr<BIGNUM, FreedBy<BN_free>> serial(::BN_bin2bn(random.data(), random.size(), nullptr));
  const bool done = made && serial && ::X509_set_version(made.get(), X509_VERSION_3) == 1 &&
                    ::BN_to_ASN1_INTEGER(serial.get(), ::X509_get_serialNumber(made.get())) != nullptr &&
                    ::ASN1_TIME_set(::X509_getm_notBefore(made.get()), Seconds(now - kClockSkew)) != nullptr &&
                    ::ASN1_TIME_set(::X509_getm_notAfter(made.get()), Seconds(now + life)) != nullptr &&
                    ::X509_set_pubkey(made.get(), key) == 1;
  if (!done) return OpenSslFailed("a new certificate");
  return made;
}

bool ExtendCertificate(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>> extension(
      ::X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

Result<std::string> CertificatePem(X509* certificate) {
  const std::unique_ptr<BIO, FreedBy<BIO_free>> memory(::BIO_new(::BIO_s_mem()));
  if (!memory || ::PEM_write_bio_X509(memory.get(), certificate) != 1) return OpenSslFailed("writing a certificate");
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace writ::crypto

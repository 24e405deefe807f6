#include "crypto/certificate.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

namespace writ::crypto {
namespace {

TEST(Certificate, HasARandomPositiveSerialAndLastsAsLongAsItIsTold) {
  const CertificateKey key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const WallTime now = SystemClock().Now();
  const auto first = BeginCertificate(key.get(), now, std::chrono::hours{48}), second = BeginCertificate(key.get(), now, std::chrono::hours{48});
  ASSERT_TRUE(first && second);
  const ASN1_INTEGER* serial = ::X509_get0_serialNumber(first->get());
  EXPECT_NE(::ASN1_INTEGER_cmp(serial, ::X509_get0_serialNumber(second->get())), 0);
  EXPECT_EQ(::ASN1_STRING_length(serial), 16);
  EXPECT_EQ(::ASN1_STRING_type(serial), V_ASN1_INTEGER) << "not V_ASN1_NEG_INTEGER";
  int days = 0, seconds = 0;
  ASSERT_EQ(::ASN1_TIME_diff(&days, &seconds, ::X509_get0_notBefore(first->get()), ::X509_get0_notAfter(first->get())), 1);
  EXPECT_EQ(std::pair(days, seconds), std::pair(2, 3600));
  EXPECT_EQ(::X509_get_version(first->get()), X509_VERSION_3);
}

TEST(Certificate, TakesExtensionsAndShowsItselfAsPem) {
  const CertificateKey key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const auto made = BeginCertificate(key.get(), SystemClock().Now(), std::chrono::hours{1});
  ASSERT_TRUE(made);
  X509* const own = made->get();
  EXPECT_TRUE(ExtendCertificate(own, own, NID_subject_alt_name, "DNS:a.test"));
  EXPECT_FALSE(ExtendCertificate(own, own, NID_subject_alt_name, "no such thing"));
  EXPECT_EQ(::X509_get_ext_count(own), 1);
  ASSERT_GT(::X509_sign(own, key.get(), ::EVP_sha256()), 0);
  const auto pem = CertificatePem(own);
  ASSERT_TRUE(pem);
  EXPECT_TRUE(pem->starts_with("-----BEGIN CERTIFICATE-----\n"));
  EXPECT_EQ(::X509_check_host(own, "a.test", 0, 0, nullptr), 1);
  EXPECT_EQ(OpenSslFailed("a step").error().what, "OpenSSL: a step failed");
}

}  // namespace
}  // namespace writ::crypto

#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/freed_by.h"

namespace writ::crypto {

using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using CertificateKey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;

/// A certificate without names, extensions and signature: version 3, a random serial of 127 bits (RFC 5280 section 4.1.2.2:
/// positive, at most 20 octets), the public half of `key`, and valid from an hour before `now` until `life` after it.
/// Errors: kInternal when OpenSSL cannot.
Result<Certificate> BeginCertificate(EVP_PKEY* key, WallTime now, std::chrono::hours life);

/// Adds an extension in the words of x509v3_config(5). `issuer` is the certificate itself where it signs itself.
bool ExtendCertificate(X509* certificate, X509* issuer, int nid, const std::string& value);

/// Errors: kInternal.
Result<std::string> CertificatePem(X509* certificate);

/// What OpenSSL could not do, with its queue of errors emptied: `OpenSSL: STEP failed`, kInternal.
std::unexpected<Error> OpenSslFailed(std::string_view step);

}  // namespace writ::crypto

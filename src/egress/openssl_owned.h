#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "base/freed_by.h"
#include "crypto/certificate.h"

/// OpenSSL's objects with an owner.
namespace writ::egress {

using TlsLibrary = std::unique_ptr<OSSL_LIB_CTX, FreedBy<OSSL_LIB_CTX_free>>;
using TlsContext = std::unique_ptr<SSL_CTX, FreedBy<SSL_CTX_free>>;
using Certificate = crypto::Certificate;
using Key = crypto::CertificateKey;

}  // namespace writ::egress

#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

#include "base/freed_by.h"

/// OpenSSL's objects with an owner.
namespace writ::egress {

using TlsLibrary = std::unique_ptr<OSSL_LIB_CTX, FreedBy<OSSL_LIB_CTX_free>>;
using TlsContext = std::unique_ptr<SSL_CTX, FreedBy<SSL_CTX_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;

}  // namespace writ::egress

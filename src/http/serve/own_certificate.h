#pragma once

#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace writ::http {

/// A certificate for both ends of the connections between a plane and the runner in its own process, and its key. PEM.
struct OwnCertificate {
  std::string certificate_pem, key_pem;
};

/// Makes a key and a certificate for 127.0.0.1 that it signed itself, good for client and server (RFC 5280 section
/// 4.2.1.12). It vouches for no other, lasts ten years, and is of no use once the process that trusts it has ended.
/// Errors: kInternal.
Result<OwnCertificate> MakeOwnCertificate(WallTime now);

}  // namespace writ::http

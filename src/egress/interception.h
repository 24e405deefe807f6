#pragma once

#include <memory>
#include <string>
#include <vector>

#include "egress/certificate_authority.h"
#include "secrets/edge_secret.h"

namespace writ::egress {

/// What the proxy needs to read the requests of hosts that a request rule or a secret speaks of, and of no others.
struct Interception {
  std::shared_ptr<CertificateAuthority> authority;
  std::vector<secrets::EdgeSecret> secrets;  ///< each is put into requests to its host only
  std::string trust_file;                    ///< PEM roots to verify upstreams; empty: OpenSSL's default
};

}  // namespace writ::egress

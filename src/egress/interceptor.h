#pragma once

#include <memory>
#include <string>

#include "egress/edge_secrets.h"
#include "egress/interception.h"
#include "egress/tls_stream.h"

namespace writ::egress {

/// Makes both ends of an intercepted connection: towards the job a server of the run's authority, towards the upstream
/// a client that trusts the given roots.
class Interceptor {
 public:
  /// Errors: kInvalid without an authority, for roots that cannot be read, and those of EdgeSecrets::Make.
  static Result<std::shared_ptr<const Interceptor>> Make(std::shared_ptr<const Interception> interception);
  ~Interceptor();
  Interceptor(const Interceptor&) = delete;
  Interceptor& operator=(const Interceptor&) = delete;

  const EdgeSecrets& secrets() const { return *secrets_; }
  Result<std::unique_ptr<TlsStream>> TowardsJob(const net::Host& host, int socket, std::string early,
                                                HttpVersion version) const;
  Result<std::unique_ptr<TlsStream>> TowardsUpstream(const net::Host& host, int socket,
                                                     std::span<const HttpVersion> offered) const;

 private:
  struct Parts;
  Interceptor();
  std::shared_ptr<CertificateAuthority> authority_;
  std::shared_ptr<const EdgeSecrets> secrets_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace writ::egress

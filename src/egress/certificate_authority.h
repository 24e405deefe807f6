#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "net/host_name.h"

struct ssl_ctx_st;

namespace writ::egress {

/// A certificate authority that exists for one run; its key never leaves this process's memory. Thread-safe.
class CertificateAuthority {
 public:
  /// EC P-256, CA:TRUE with pathlen 0, a random serial; valid from an hour before `now` for 7 days. Errors: kInternal
  /// when OpenSSL cannot.
  static Result<std::shared_ptr<CertificateAuthority>> Make(WallTime now);
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  /// What the job has to trust: one PEM certificate, without the key.
  const std::string& certificate_pem() const;
  /// SHA-256 of that certificate (DER) in hex: what a receipt says of it.
  const std::string& certificate_sha256() const;

  /// What a TLS server for `host` (normalised) needs, made when it is asked for first and kept for the next connection;
  /// the caller owns one reference (SSL_CTX_free). TLS 1.2 and later, no resumption. Errors: kInternal.
  Result<ssl_ctx_st*> ServerContext(const net::Host& host);

  static constexpr std::size_t kHostsMax = 256;  ///< contexts kept; one more and all are made anew

 private:
  struct Parts;
  explicit CertificateAuthority(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace writ::egress

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace writ::secrets {

/// One GET over a connection of its own.
struct HttpsRequest {
  bool tls = true;          ///< false: plain HTTP, and only to an address of this machine
  std::string host;         ///< name or address, an IPv6 one without brackets
  std::uint16_t port = 443;
  std::string target;       ///< path and query, encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string secret_header;          ///< name of one more header; empty: none
  const crypto::SecretBytes* secret_value = nullptr;  ///< its value; borrowed
  std::string ca_file;      ///< certificates to trust instead of the system's; empty: the system's
};

struct HttpsAnswer {
  unsigned status = 0;
  crypto::SecretBytes body;
};

inline constexpr std::size_t kAnswerBytesMax = 512 << 10;

/// Connects (every address of the name in turn), verifies the peer's certificate and name (TLS 1.2 or 1.3), asks and
/// reads the whole answer. Redirects are the caller's. OpenSSL's configuration file is not read.
/// Errors: kUnavailable when nobody answers; kDenied when the certificate does not hold or plain HTTP would leave this
/// machine; kDeadline; kCorrupt for an answer that is no HTTP; kExhausted over kAnswerBytesMax. Looking a name up keeps
/// to the resolver's own time limits.
Result<HttpsAnswer> HttpsGet(const HttpsRequest& request, Deadline deadline);

}  // namespace writ::secrets

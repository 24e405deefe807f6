#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "policy/egress.h"

namespace writ::egress {

/// One thing the job tried, and what became of it.
struct Attempt {
  std::string host;        ///< as judged: a normalised name or address; under Warrant rules as the protocol compares it
  std::uint16_t port = 0;  ///< 0 for look-ups
  std::string via;         ///< "http", "connect", "transparent", "dns"
  policy::EgressVerdict verdict;
  std::string method, path;  ///< of requests that the proxy can read, else empty
};

/// Who is told. Called on the proxy's thread; must not call the proxy.
class EgressObserver {
 public:
  virtual ~EgressObserver() = default;
  /// Before the decision takes effect. An error closes everything the proxy has: what cannot be recorded does not
  /// happen.
  virtual Result<> OnAttempt(const Attempt& attempt) = 0;
  /// Requests to that host are read inside TLS, in that protocol ("h2", "http/1.1"): told for every connection, before
  /// the first byte is forwarded. An error closes everything.
  virtual Result<> OnIntercepted(const std::string& host, std::uint16_t port, std::string_view protocol) = 0;
  /// The byte budget is spent and everything is cut; once.
  virtual void OnBudget(std::uint64_t moved_bytes) = 0;
};

}  // namespace writ::egress

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/client_hello.h"
#include "net/host_name.h"

namespace writ::egress {

/// Looks at the first bytes that the job sends into a tunnel to a granted name, until it is known what the tunnel is
/// for. TLS must name the granted host or none (else another site behind the same address could be reached), HTTP goes
/// on as requests that are judged one by one, everything else passes.
class Sniffer {
 public:
  enum class Kind : std::uint8_t {
    kMore,    ///< not known yet
    kPass,    ///< a protocol that is neither TLS nor HTTP
    kTls,     ///< TLS that names the host or none
    kHttp,    ///< an HTTP/1 request line; its requests have to be read
    kRefused  ///< see rule and reason
  };
  struct Result {
    Kind kind = Kind::kMore;
    std::string rule, reason;
  };
  Sniffer(net::Host host, std::size_t bytes_max) : host_(std::move(host)), bytes_max_(bytes_max) {}

  void Add(std::string_view bytes) { bytes_ += bytes; }
  std::string_view bytes() const { return bytes_; }
  Result Look();
  /// Once TLS was seen: the protocols that the client offers (ALPN), in order of preference.
  const std::vector<std::string>& offered_protocols() const { return tls_.hello().alpn; }

 private:
  Result LookAtTls();
  Result LookAtText() const;
  Result Unclear() const;

  const net::Host host_;
  const std::size_t bytes_max_;
  std::string bytes_;
  net::ClientHelloReader tls_;
};

}  // namespace writ::egress

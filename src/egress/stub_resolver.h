#pragma once

#include "egress/dns_exchange.h"
#include "egress/resolver.h"
#include "egress/resolver_files.h"

namespace writ::egress {

/// Looks names up in the hosts file, then asks the name servers for IPv6 and IPv4 addresses at once. Its own code,
/// because a static program cannot load what getaddrinfo(3) would use. Nothing is cached: a connection is pinned to
/// what its own look-up said.
class StubResolver final : public Resolver {
 public:
  explicit StubResolver(ResolverFiles files);
  /// For name servers at other ports.
  StubResolver(ResolverFiles files, ServerList servers) : files_(std::move(files)), servers_(std::move(servers)) {}

  std::unique_ptr<Lookup> Resolve(EventLoop& loop, const std::string& name, MonoTime deadline,
                                  LookupOwner& owner) override;

  /// How long IPv4 addresses wait for IPv6 ones (RFC 8305 section 3).
  static constexpr Millis kResolutionDelay{50};

 private:
  ResolverFiles files_;
  ServerList servers_;
};

}  // namespace writ::egress

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "egress/attempt.h"
#include "egress/core.h"
#include "egress/interception.h"
#include "egress/ledger.h"
#include "egress/limits.h"
#include "egress/resolver.h"
#include "egress/sockets.h"
#include "policy/egress.h"

namespace writ::egress {

/// Listeners that exist inside a cell's network namespace, bound and (TCP) listening. An invalid one is not served.
struct Doors {
  sys::UniqueFd http_proxy;                  ///< TCP: HTTP in absolute form, and CONNECT
  sys::UniqueFd transparent4, transparent6;  ///< TCP: what netfilter redirects
  sys::UniqueFd dns_udp4, dns_tcp4, dns_udp6, dns_tcp6;
};

struct ProxyOptions {
  policy::EgressRules rules;
  EgressLimits limits;
  std::optional<UpstreamProxy> upstream;
  /// The rules came from a plain Warrant contract: refusals say no more than the protocol fixes (else the body of a 403
  /// goes on with the rule and the smallest grant), and hosts are recorded as the protocol compares them.
  bool warrant_exact = false;
  OriginalDestination original_destination = RedirectedFrom;
  /// For hosts that a request rule or a secret needs; null: nothing is intercepted, and what only some requests are
  /// granted to is refused inside TLS.
  std::shared_ptr<const Interception> interception;
};

/// Serves the doors of one run from outside its cell, on a thread of its own. Transport only: every decision is asked
/// of policy/egress.h, and told to the observer before it takes effect. Destroying it is Close.
class Proxy {
 public:
  /// `resolver` and `observer` are borrowed and must outlive the proxy. Errors: kInvalid for a limit of zero
  /// or an interception that cannot be (interceptor.h), kExhausted when there is no descriptor or thread to be had.
  static Result<std::unique_ptr<Proxy>> Start(Doors doors, ProxyOptions options, Resolver& resolver,
                                              EgressObserver& observer);
  ~Proxy();

  /// When it returns, connections that the new rules do not grant are cut. Errors: those of Health.
  Result<> ChangeRules(policy::EgressRules rules);
  /// Bytes per host and port so far.
  HostTotals Totals();
  /// Refused names that were asked of the DNS stub, with how often; bounded, the rest is under Ledger::kOthers.
  std::map<std::string, std::uint64_t> RefusedNames();
  /// Connections of the job that are open now.
  std::size_t ConnectionCount();
  /// Errors: why the proxy has closed everything by itself, as when an attempt could not be recorded, or epoll failed.
  /// Cheap while there is none.
  Result<> Health();
  /// Cuts everything and waits for the thread. Totals and RefusedNames stay.
  void Close();

 private:
  struct Parts;
  explicit Proxy(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace writ::egress

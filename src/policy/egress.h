#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/host_name.h"
#include "net/ip_address.h"
#include "policy/egress_rule.h"

namespace writ::policy {

/// What one run may connect to. The default denies everything.
struct EgressRules {
  bool default_deny = true;  ///< false: every public host, as `defaultDeny: false` of a Warrant contract
  bool open = false;         ///< `--net open`: every public host
  std::vector<EgressRule> rules;
};

/// What the rules say to one attempt. A plain value: recorded as an event, compared in tests.
struct EgressVerdict {
  bool allowed = false;          ///< an empty verdict denies
  std::string rule = "default";  ///< which rule spoke: "egress.rules[2] *.example.org:443", "network.allowHosts[0] x",
                                 ///< "egress.open", "network.defaultDeny", "address-class", "default"
  std::string reason;            ///< one sentence for the event; hosts in it are escaped
  std::string smallest_grant;    ///< what would allow it: "--net packages.example:443"; empty when allowed
  bool intercept = false;        ///< allowed, but each request has to pass DecideRequest
  friend bool operator==(const EgressVerdict&, const EgressVerdict&) = default;
};

// No clock, no I/O, no globals: the same inputs give the same verdict on every machine. The order in which the
// decisions are asked, and every rule, is on the page docs/formats/egress.md.

/// Whether a name may be looked up at all: some port of it is granted. For the DNS stub.
EgressVerdict DecideName(const EgressRules& rules, const net::Host& host);

/// Host and port, before anything is looked up. An address literal is judged completely: one that is not public is
/// refused unless a rule grants it as such.
EgressVerdict DecideEgress(const EgressRules& rules, const EgressTarget& target);

/// DecideEgress, and then one address the host led to. Ask for each address, and connect only to allowed ones: a
/// granted name that leads to a private, loopback, link-local, metadata, mapped or other non-public address is refused
/// unless that address is granted as such. For a literal the address must be the literal itself.
EgressVerdict DecideAddress(const EgressRules& rules, const EgressTarget& target, const net::IpAddress& resolved);

/// DecideEgress, and then one request to the host: method and request target in origin form (query included or not).
EgressVerdict DecideRequest(const EgressRules& rules, const EgressTarget& target, std::string_view method,
                            std::string_view path);

/// The rules of a Warrant contract: exact string comparison with the spelled host, any port, no wildcards. Address
/// classes are judged as everywhere else; an entry that is an address grants that address.
EgressRules FromAllowHosts(bool default_deny, const std::vector<std::string>& allow_hosts);

}  // namespace writ::policy

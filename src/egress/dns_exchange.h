#pragma once

#include <string>
#include <vector>

#include "egress/core.h"
#include "egress/resolver_files.h"
#include "net/dns_message.h"

namespace writ::egress {

/// How name servers are asked.
struct ServerList {
  std::vector<Endpoint> servers;  ///< at least one
  Millis attempt_timeout{2'000};
  unsigned rounds = 2;
};

class DnsExchange;
class DnsExchangeOwner {
 public:
  virtual ~DnsExchangeOwner() = default;
  /// Once, from the loop. Errors: kUnavailable when no server gave a proper answer.
  virtual void OnAnswered(DnsExchange& exchange, Result<net::DnsLookup> answer) = 0;
};

/// One question to the name servers, one after the other, over UDP, and over TCP when the answer was cut. Every attempt
/// has a new random id and, by a new socket, a new random port (RFC 5452); answers to anything else are not looked at.
/// Never tells its owner from inside the constructor.
class DnsExchange final : public EventTarget {
 public:
  DnsExchange(EventLoop& loop, const ServerList& servers, std::string name, std::uint16_t type,
              DnsExchangeOwner& owner);
  std::uint16_t type() const { return type_; }

 private:
  void OnEvents(Watch& watch, std::uint32_t events) override;
  void OnTimer(Timer& timer) override;
  /// Asks the next server; over TCP the same one again. False: no server is left, the owner was told.
  bool Ask(bool over_tcp);
  bool Open(const Endpoint& server);
  void ReadDatagrams();
  void ReadStream();
  /// False: this attempt is over.
  bool WriteStream();
  void Take(net::DnsLookup answer);
  void Finish(Result<net::DnsLookup> answer);

  EventLoop& loop_;
  const ServerList& servers_;
  const std::string name_;
  const std::uint16_t type_;
  DnsExchangeOwner& owner_;
  std::size_t attempts_ = 0;  ///< begun, over UDP
  bool tcp_ = false, done_ = false;
  std::uint16_t id_ = 0;
  std::string question_, received_;
  sys::UniqueFd socket_;
  Watch watch_;
  Timer timer_;  ///< the attempt's end
};

}  // namespace writ::egress

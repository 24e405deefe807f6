#pragma once

#include <memory>
#include <string>
#include <vector>

#include "egress/core.h"
#include "egress/resolver.h"

namespace writ::egress {

/// A connection that was made for a target, pinned to the address it was made to.
struct Dialed {
  sys::UniqueFd socket;
  Endpoint remote;
  std::string early;  ///< bytes that came with the upstream proxy's consent; they belong to the tunnel
};

/// What the job wants to reach, and what is said about it in records.
struct Destination {
  policy::EgressTarget target;
  std::string host;  ///< Attempt::host, as spelled
  std::string via;   ///< Attempt::via
};

class DialOwner {
 public:
  virtual ~DialOwner() = default;
  /// Once, from the loop. Errors: kDenied when every address was refused by a rule (recorded), kNotFound for a name
  /// without address, kDeadline, kUnavailable. The Dial may be destroyed in here.
  virtual void OnDialed(Result<Dialed> dialed) = 0;
};

/// How far the upstream proxy's part goes, where there is one.
enum class UpstreamUse : std::uint8_t {
  kTunnel,  ///< ask it for a tunnel by CONNECT
  kPlain    ///< only connect to it: requests in absolute form will follow
};

/// Looks a granted target up once, judges every address, connects to one that is allowed (RFC 8305 section 5: families
/// take turns, the next address starts when the one before failed or let 250 ms pass). Never calls its owner from
/// inside the constructor. Destroying it ends it.
class Dial final : public EventTarget, public LookupOwner {
 public:
  Dial(Core& core, const Destination& destination, UpstreamUse use, DialOwner& owner);
  ~Dial() override;

  static constexpr Millis kAttemptDelay{250};
  static constexpr std::size_t kAddressesMax = 16;

 private:
  struct Try;
  void OnEvents(Watch& watch, std::uint32_t events) override;
  void OnTimer(Timer& timer) override;
  void OnResolved(Result<std::vector<net::IpAddress>> addresses) override;
  void Begin();
  /// Keeps the addresses that the rules allow. False: nothing may go on.
  bool Judge(const std::vector<net::IpAddress>& addresses);
  void Queue(const std::vector<net::IpAddress>& addresses, std::uint16_t port);
  void StartNext();
  /// Whether the connection itself is what is wanted, without a word from the upstream proxy.
  bool plain() const { return !core_.settings.upstream || use_ == UpstreamUse::kPlain; }
  void Won(Try& winner);
  void AskUpstream();
  void ReadConsent();
  void Finish(Result<Dialed> dialed);

  Core& core_;
  const Destination destination_;
  const UpstreamUse use_;
  DialOwner& owner_;
  std::unique_ptr<Lookup> lookup_;
  std::vector<Endpoint> queue_;  ///< still to be tried, the next one last
  std::vector<std::unique_ptr<Try>> tries_;
  std::unique_ptr<Try> chosen_;  ///< talks to the upstream proxy
  std::string to_send_, received_;
  Error last_error_;
  Timer deadline_, delay_, start_;
};

}  // namespace writ::egress

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "egress/dial.h"
#include "egress/pump.h"
#include "egress/sniffer.h"

namespace writ::egress {

/// What a tunnel may carry.
enum class Carry : std::uint8_t {
  kJudged,   ///< its first bytes are looked at: see sniffer.h
  kAnything  ///< what it carries was judged already
};

/// Everything a tunnel is made of.
struct TunnelParts {
  Destination destination;
  bool by_request = false;  ///< only some requests are granted: what cannot be read as requests is refused
  sys::UniqueFd client;
  Dialed upstream;
  std::string from_client;  ///< read already, to be judged and sent first
  std::string to_client;    ///< to be sent first; not counted
};

/// A byte stream between the job and a granted destination. Half-closed streams stay open the other way. Plain HTTP to
/// a granted name goes on as an HttpRelay, which judges every request.
class Tunnel final : public Connection {
 public:
  Tunnel(Core& core, TunnelParts parts, Carry carry);
  /// Takes over the client's watch where there is one. Errors: the tunnel must be closed.
  Result<> Start(Watch* client_watch);
  void Rejudge() override;

 private:
  void OnReady(Watch& watch, std::uint32_t events) override;
  void OnDue(Timer& timer) override;
  void OnClose() override;
  void Turn();
  void Sniff();
  void Refuse(std::string rule, std::string reason);
  void ContinueAsHttp();
  void Intercept();

  Destination destination_;
  sys::UniqueFd client_, upstream_;
  const Endpoint remote_;
  HostBytes& account_;
  const bool by_request_;
  const bool intercept_;  ///< TLS ends here
  Pump out_, in_;
  std::unique_ptr<Sniffer> sniffer_;  ///< until what the tunnel carries is known
  bool sniff_readable_ = false;
  MonoTime last_active_, sniff_by_;
  Timer idle_, again_;
  Watch client_watch_, upstream_watch_;
};

}  // namespace writ::egress

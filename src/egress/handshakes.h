#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "egress/dial.h"
#include "egress/tls_stream.h"

namespace writ::egress {

/// A tunnel to a granted destination whose TLS is to end here.
struct HandshakeParts {
  Destination destination;
  bool by_request = false;
  sys::UniqueFd client;
  Dialed upstream;
  std::string from_client;  ///< read already: the ClientHello
  std::vector<std::string> offered;  ///< protocols that it offers (ALPN)
};
void StartHandshakes(Core& core, HandshakeParts parts);

/// TLS with the job, under the run's authority, and with the upstream, which must prove who it is, each within the head
/// deadline. Both sides speak the same protocol, so a job that offers HTTP/2 waits for what the upstream chooses; else
/// both handshakes run at the same time. Then requests are relayed. An upstream that fails is recorded, and the job's
/// requests are answered with why.
class Handshakes final : public Connection {
 public:
  Handshakes(Core& core, HandshakeParts parts);
  /// Errors: it must be closed.
  Result<> Start();
  void Rejudge() override;

 private:
  void OnReady(Watch& watch, std::uint32_t events) override;
  void OnDue(Timer& timer) override;
  void OnClose() override;
  void Turn();
  bool Offers(std::string_view protocol) const;
  Result<> StartJob(HttpVersion version);
  bool UpstreamFailed(std::string_view why);
  void Relay();

  HandshakeParts parts_;
  std::unique_ptr<TlsStream> job_, upstream_;
  bool job_done_ = false, upstream_done_ = false;
  HttpVersion version_ = HttpVersion::kHttp1;
  std::string failure_;  ///< of the upstream
  Timer deadline_;
  Watch job_watch_, upstream_watch_;
};

}  // namespace writ::egress

#include "egress/handshakes.h"

#include <algorithm>

#include "egress/http2_relay.h"
#include "egress/interceptor.h"
#include "egress/sockets.h"

namespace writ::egress {

void StartHandshakes(Core& core, HandshakeParts parts) {
  auto& handshakes = core.Adopt(std::make_unique<Handshakes>(core, std::move(parts)));
  if (!handshakes.closed() && !handshakes.Start()) handshakes.Close();
}

Handshakes::Handshakes(Core& core, HandshakeParts parts)
    : Connection(core), parts_(std::move(parts)), deadline_(*this) {}

bool Handshakes::Offers(std::string_view protocol) const {
  return std::ranges::find(parts_.offered, protocol) != parts_.offered.end();
}

Result<> Handshakes::Start() {
  const net::Host& host = parts_.destination.target.host;
  std::vector<HttpVersion> offered;
  for (const auto& protocol : parts_.offered) {
    for (const HttpVersion version : {HttpVersion::kHttp2, HttpVersion::kHttp1}) {
      const bool again = std::ranges::find(offered, version) != offered.end();
      if (protocol == ProtocolName(version) && !again) offered.push_back(version);
    }
  }
  if (offered.empty()) offered = {HttpVersion::kHttp1};
  upstream_ = WRIT_TRY("intercept", core_.settings.interceptor->TowardsUpstream(host, parts_.upstream.socket.get(), offered));
  WRIT_TRY("intercept", upstream_watch_.Start(core_.loop, parts_.upstream.socket.get(), *this));
  deadline_.Arm(core_.loop, core_.loop.now() + core_.settings.limits.head_timeout);
  const bool waits = std::ranges::find(offered, HttpVersion::kHttp2) != offered.end();
  if (!waits) WRIT_TRY("intercept", StartJob(HttpVersion::kHttp1));
  Turn();
  return {};
}

Result<> Handshakes::StartJob(HttpVersion version) {
  version_ = version;
  job_ = WRIT_TRY("intercept", core_.settings.interceptor->TowardsJob(parts_.destination.target.host, parts_.client.get(),
                                                                      std::exchange(parts_.from_client, {}), version));
  return job_watch_.Start(core_.loop, parts_.client.get(), *this);
}

void Handshakes::OnReady(Watch&, std::uint32_t) { Turn(); }

void Handshakes::OnDue(Timer&) {
  if (upstream_done_ || !UpstreamFailed("no TLS handshake in time")) return Close();
  if (job_ && !job_done_) return Close();
  Turn();
}

void Handshakes::OnClose() {
  job_watch_.Stop();
  upstream_watch_.Stop();
  deadline_.Disarm();
}

void Handshakes::Turn() {
  if (!upstream_done_) {
    const Io io = upstream_->Handshake();
    upstream_done_ = io.end == IoEnd::kMoved;
    if (io.end != IoEnd::kMoved && io.end != IoEnd::kBlocked && !UpstreamFailed(upstream_->failure())) return;
  }
  if (!job_ && upstream_done_) {
    const HttpVersion without = Offers(ProtocolName(HttpVersion::kHttp1)) ? HttpVersion::kHttp1 : HttpVersion::kHttp2;
    if (!StartJob(upstream_ ? upstream_->version() : without)) return Close();
    deadline_.Arm(core_.loop, core_.loop.now() + core_.settings.limits.head_timeout);
  }
  if (job_ && !job_done_) {
    const Io io = job_->Handshake();
    job_done_ = io.end == IoEnd::kMoved;
    if (io.end != IoEnd::kMoved && io.end != IoEnd::kBlocked) return Close();  // it does not trust us, or gave up
  }
  if (job_done_ && upstream_done_) Relay();
}

/// False: it could not be recorded, and everything was cut.
bool Handshakes::UpstreamFailed(std::string_view why) {
  const auto& [target, host, via] = parts_.destination;
  failure_ = fmt::format("TLS with {}: {}", host, why.empty() ? "the connection was closed" : why);
  upstream_watch_.Stop();
  upstream_.reset();
  parts_.upstream.socket.Reset();
  upstream_done_ = true;
  policy::EgressVerdict verdict;
  verdict.rule = "tls.upstream";
  verdict.reason = failure_;
  return core_.Record({host, target.port, via, std::move(verdict), {}, {}});
}

void Handshakes::Relay() {
  const auto& [target, host, via] = parts_.destination;
  if (!core_.RecordInterception(host, target.port, ProtocolName(version_))) return;
  RelayParts parts;
  parts.destination = std::move(parts_.destination);
  parts.kind = {.by_request = parts_.by_request, .secured = true};
  parts.client = std::move(parts_.client);
  parts.upstream = std::move(parts_.upstream);
  parts.client_tls = std::move(job_);
  parts.upstream_tls = std::move(upstream_);
  parts.upstream_failure = std::move(failure_);
  job_watch_.Stop();
  upstream_watch_.Stop();
  version_ == HttpVersion::kHttp2 ? StartHttp2Relay(core_, std::move(parts)) : StartRelayInTunnel(core_, std::move(parts));
  Close();
}

void Handshakes::Rejudge() {
  const auto& target = parts_.destination.target;
  const auto verdict = core_.settings.upstream
                           ? policy::DecideEgress(core_.rules(), target)
                           : policy::DecideAddress(core_.rules(), target, parts_.upstream.remote.address);
  if (!verdict.allowed) Close();
}

}  // namespace writ::egress

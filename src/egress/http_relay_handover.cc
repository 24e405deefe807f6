// How a relay ends other than by answering: it becomes a tunnel, or the rules no longer grant what it does.
#include "egress/http_relay.h"
#include "egress/refusal.h"
#include "egress/sockets.h"
#include "egress/tunnel.h"

namespace writ::egress {
namespace {
constexpr std::size_t kRawBytes = 64U << 10;  // what waits for one side before the other side is read again
}

void HttpRelay::OpenTunnel(Dialed dialed) {
  TunnelParts parts;
  parts.destination = std::move(*destination_);
  parts.by_request = plan_.by_request;
  parts.client = std::move(client_.fd);
  parts.upstream = std::move(dialed);
  parts.from_client = std::move(client_.in);
  parts.to_client = kConnectEstablished;
  auto& tunnel = core_.Adopt(std::make_unique<Tunnel>(core_, std::move(parts), Carry::kJudged));
  if (!tunnel.closed() && !tunnel.Start(&client_.watch)) tunnel.Close();
  Close();
}

void HttpRelay::BecomeTunnel(std::string to_client) {
  if (!server_.out.empty() || !request_body_.done()) return Close();  // the upstream agreed to half a request
  if (kind_.secured) {
    client_.out += to_client;
    phase_ = Phase::kRaw;
    return RearmIdle();
  }
  TunnelParts parts;
  parts.destination = *destination_;
  parts.client = std::move(client_.fd);
  parts.upstream = {std::move(server_.fd), remote_, std::move(server_.in)};
  parts.from_client = std::move(client_.in);
  parts.to_client = std::move(client_.out) + to_client;
  server_.watch.Stop();
  auto& tunnel = core_.Adopt(std::make_unique<Tunnel>(core_, std::move(parts), Carry::kAnything));
  if (!tunnel.closed() && !tunnel.Start(&client_.watch)) tunnel.Close();
  Close();
}

bool HttpRelay::PassRaw(HttpSide& from, HttpSide& to, bool& told, bool out) {
  bool moved = to.out.size() < kRawBytes && FillCounted(from);
  if (closed()) return false;
  if (!from.in.empty()) {
    out ? core_.ledger.CountOut(*account_, from.in.size()) : core_.ledger.CountIn(*account_, from.in.size());
    to.out += std::exchange(from.in, {});
    return true;
  }
  if (from.cut) return Close(), false;
  if (from.ended && to.out.empty() && !told) {
    told = moved = true;
    if (!to.EndWriting()) return Close(), false;
  }
  return moved;
}

bool HttpRelay::StepRaw() {
  bool moved = PassRaw(client_, server_, server_told_, true);
  if (!closed()) moved |= PassRaw(server_, client_, client_told_, false);
  if (!closed() && client_told_ && server_told_) Close();
  return moved && !closed();
}

void HttpRelay::Rejudge() {
  if (!destination_) return;
  if (phase_ == Phase::kHead && !in_tunnel_) return server_.Drop();  // the next request is judged by itself
  const auto& target = destination_->target;
  const bool by_address = server_.fd.valid() && !core_.settings.upstream;
  auto verdict = by_address ? policy::DecideAddress(core_.rules(), target, remote_.address)
                            : policy::DecideEgress(core_.rules(), target);
  if (!verdict.allowed) CutWith(std::move(verdict));
}

void HttpRelay::CutWith(policy::EgressVerdict verdict) {
  if (phase_ == Phase::kLast || phase_ == Phase::kLinger) return;
  ResetOnClose(client_.fd.get());
  // When this cannot be recorded everything is cut, which is what follows anyway.
  static_cast<void>(
      core_.Record({destination_->host, destination_->target.port, destination_->via, std::move(verdict), {}, {}}));
  Close();
}

}  // namespace writ::egress

#include "egress/tunnel.h"

#include <sys/epoll.h>

#include "egress/handshakes.h"
#include "egress/http_relay.h"
#include "egress/interceptor.h"

namespace writ::egress {
namespace {
constexpr std::uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/// Whether a request rule or a secret speaks of the destination.
bool Needed(const Core& core, const Destination& destination, bool by_request) {
  const auto& interceptor = core.settings.interceptor;
  return interceptor && (by_request || interceptor->secrets().BelongsTo(destination.target.host));
}
}

Tunnel::Tunnel(Core& core, TunnelParts parts, Carry carry)
    : Connection(core),
      destination_(std::move(parts.destination)),
      client_(std::move(parts.client)),
      upstream_(std::move(parts.upstream.socket)),
      remote_(parts.upstream.remote),
      account_(core.ledger.Account({destination_.host, destination_.target.port})),
      by_request_(parts.by_request),
      intercept_(carry == Carry::kJudged && Needed(core, destination_, by_request_)),
      out_(core, account_, Flow::kOut),
      in_(core, account_, Flow::kIn),
      last_active_(core.loop.now()),
      sniff_by_(MonoTime::max()),
      idle_(*this),
      again_(*this) {
  ++account_.connections;
  in_.Preload(parts.to_client, false);
  in_.Preload(parts.upstream.early, true);
  const bool judged = carry == Carry::kJudged && (by_request_ || intercept_ || !destination_.target.host.address);
  if (judged) {
    sniffer_ = std::make_unique<Sniffer>(destination_.target.host, core.settings.limits.head_bytes_max);
    sniffer_->Add(parts.from_client);
  } else {
    out_.Preload(parts.from_client, true);
  }
}

Result<> Tunnel::Start(Watch* client_watch) {
  if (client_watch != nullptr) {
    WRIT_TRY("tunnel", client_watch_.TakeOver(*client_watch, *this));
  } else {
    WRIT_TRY("tunnel", client_watch_.Start(core_.loop, client_.get(), *this));
  }
  WRIT_TRY("tunnel", upstream_watch_.Start(core_.loop, upstream_.get(), *this));
  idle_.Arm(core_.loop, last_active_ + core_.settings.limits.idle_timeout);
  Turn();
  return {};
}

void Tunnel::OnReady(Watch& watch, std::uint32_t events) {
  const bool ending = (events & kEnding) != 0;
  const bool readable = ending || (events & EPOLLIN) != 0, writable = ending || (events & EPOLLOUT) != 0;
  if (&watch == &client_watch_) {
    if (readable) out_.NowReadable(ending), sniff_readable_ = true;
    if (writable) in_.NowWritable();
  } else {
    if (readable) in_.NowReadable(ending);
    if (writable) out_.NowWritable();
  }
  Turn();
}

void Tunnel::OnDue(Timer& timer) {
  if (&timer == &again_) return Turn();
  const MonoTime now = core_.loop.now();
  if (sniffer_ && now >= sniff_by_) return Refuse("tunnel.unclear", "its first bytes do not say what it is for");
  const MonoTime idle_at = last_active_ + core_.settings.limits.idle_timeout;
  if (now >= idle_at) return Close();
  idle_.Arm(core_.loop, sniffer_ ? std::min(idle_at, sniff_by_) : idle_at);
}

void Tunnel::OnClose() {
  client_watch_.Stop();
  upstream_watch_.Stop();
  idle_.Disarm();
  again_.Disarm();
  core_.closer.Close(std::move(client_));
  core_.closer.Close(std::move(upstream_));
}

void Tunnel::Turn() {
  last_active_ = core_.loop.now();
  const Pump::State in = in_.Move(upstream_.get(), client_.get(), out_.done());
  if (sniffer_ && in != Pump::State::kBroken) Sniff();
  if (closed()) return;
  const Pump::State out = sniffer_ ? Pump::State::kWait : out_.Move(client_.get(), upstream_.get(), in_.done());
  core_.CheckBudget();
  if (closed()) return;
  if (out == Pump::State::kBroken || in == Pump::State::kBroken) return Close();
  if (out == Pump::State::kDone && in == Pump::State::kDone) return Close();
  if (out == Pump::State::kAgain || in == Pump::State::kAgain) {
    again_.ArmNow(core_.loop);
  } else if (out == Pump::State::kRate || in == Pump::State::kRate) {
    again_.Arm(core_.loop, core_.ledger.RetryAt(core_.loop.now()));
  }
}

void Tunnel::Sniff() {
  bool ended = false;
  for (;;) {
    const Sniffer::Result seen = sniffer_->Look();
    if (seen.kind == Sniffer::Kind::kRefused) return Refuse(seen.rule, seen.reason);
    if (seen.kind == Sniffer::Kind::kHttp) return ContinueAsHttp();
    if (seen.kind == Sniffer::Kind::kTls && intercept_) return Intercept();
    if (seen.kind != Sniffer::Kind::kMore || ended) {
      if (by_request_) return Refuse("tunnel.requests", "only some requests are granted, and these cannot be read");
      out_.Preload(sniffer_->bytes(), true);
      sniffer_.reset();
      return;
    }
    if (!sniffer_->bytes().empty() && sniff_by_ == MonoTime::max()) {
      sniff_by_ = core_.loop.now() + core_.settings.limits.head_timeout;
      idle_.Arm(core_.loop, sniff_by_);
    }
    if (!sniff_readable_) return;
    const Io io = Receive(client_.get(), core_.scratch.data(), core_.settings.limits.head_bytes_max);
    if (io.end == IoEnd::kBroken) return Close();
    if (io.end == IoEnd::kBlocked) sniff_readable_ = false;
    if (io.end == IoEnd::kEnd) {
      if (!sniffer_->bytes().empty()) return Refuse("tunnel.unclear", "it ended before it said what it is for");
      ended = true;
    }
    sniffer_->Add({core_.scratch.data(), io.bytes});
  }
}

void Tunnel::ContinueAsHttp() {
  if (in_.moved_anything() || in_.holds_bytes())
    return Refuse("tunnel.host", "the server spoke before an HTTP request");
  RelayParts parts;
  parts.destination = std::move(destination_);
  parts.kind.by_request = by_request_;
  parts.client = std::move(client_);
  parts.upstream = {std::move(upstream_), remote_, {}};
  parts.from_client = sniffer_->bytes();
  client_watch_.Stop();
  upstream_watch_.Stop();
  StartRelayInTunnel(core_, std::move(parts));
  Close();
}

void Tunnel::Intercept() {
  if (in_.moved_anything() || in_.holds_bytes()) return Refuse("tunnel.unclear", "the server spoke before TLS began");
  HandshakeParts parts{std::move(destination_),
                       by_request_,
                       std::move(client_),
                       {std::move(upstream_), remote_, {}},
                       std::string(sniffer_->bytes()),
                       sniffer_->offered_protocols()};
  client_watch_.Stop();
  upstream_watch_.Stop();
  StartHandshakes(core_, std::move(parts));
  Close();
}

void Tunnel::Refuse(std::string rule, std::string reason) {
  policy::EgressVerdict verdict;
  verdict.rule = std::move(rule);
  verdict.reason = std::move(reason);
  ResetOnClose(client_.get());
  // When this cannot be recorded everything is cut, which is what follows anyway.
  static_cast<void>(core_.Record({destination_.host, destination_.target.port, destination_.via, verdict, {}, {}}));
  Close();
}

void Tunnel::Rejudge() {
  const auto& target = destination_.target;
  const auto verdict = core_.settings.upstream ? policy::DecideEgress(core_.rules(), target)
                                               : policy::DecideAddress(core_.rules(), target, remote_.address);
  if (!verdict.allowed) return Refuse(verdict.rule, verdict.reason);
  if (verdict.intercept && !by_request_) Refuse(verdict.rule, "only some requests are granted now");
}

}  // namespace writ::egress

#include "egress/http2_relay.h"

#include <sys/epoll.h>

#include "egress/interceptor.h"
#include "egress/refusal.h"
#include "egress/sockets.h"

namespace writ::egress {

void StartHttp2Relay(Core& core, RelayParts parts) {
  auto& relay = core.Adopt(std::make_unique<Http2Relay>(core, std::move(parts)));
  if (!relay.closed() && !relay.Start()) relay.Close();
}

Http2Relay::Http2Relay(Core& core, RelayParts parts)
    : Connection(core),
      destination_(std::move(parts.destination)),
      kind_(parts.kind),
      upstream_failure_(std::move(parts.upstream_failure)),
      remote_(parts.upstream.remote),
      account_(core.ledger.Account({destination_.host, destination_.target.port})),
      last_active_(core.loop.now()),
      idle_(*this),
      again_(*this) {
  client_.fd = std::move(parts.client);
  client_.in = std::move(parts.from_client);
  client_.tls = std::move(parts.client_tls);
  server_.fd = std::move(parts.upstream.socket);
  server_.tls = std::move(parts.upstream_tls);
  client_.secret = server_.secret = core.settings.interceptor->secrets().BelongsTo(destination_.target.host);
  ++account_.connections;
}

Result<> Http2Relay::Start() {
  job_ = WRIT_TRY("relay", Http2Session::Make(Http2Session::Role::kServer, *this, core_.loop.now()));
  WRIT_TRY("relay", client_.watch.Start(core_.loop, client_.fd.get(), *this));
  if (server_.fd.valid()) {
    upstream_ = WRIT_TRY("relay", Http2Session::Make(Http2Session::Role::kClient, *this, core_.loop.now()));
    WRIT_TRY("relay", server_.watch.Start(core_.loop, server_.fd.get(), *this));
  }
  RearmTimer();
  Turn();
  return {};
}

void Http2Relay::OnReady(Watch& watch, std::uint32_t events) {
  (&watch == &client_.watch ? client_ : server_).Note(events);
  Turn();
}

void Http2Relay::OnClose() {
  client_.watch.Stop();
  server_.watch.Stop();
  idle_.Disarm();
  again_.Disarm();
}

void Http2Relay::OnDue(Timer& timer) {
  if (&timer == &again_) {
    rate_wait_ = false;
    return Turn();
  }
  const MonoTime now = core_.loop.now();
  const auto late = [&](const std::unique_ptr<Http2Session>& session) {
    return session && session->waits_since() != MonoTime::max() &&
           now >= session->waits_since() + core_.settings.limits.head_timeout;
  };
  if (last_ || late(job_) || now >= last_active_ + core_.settings.limits.idle_timeout) return Close();
  if (late(upstream_)) {
    UpstreamEnded();
    return Turn();
  }
  RearmTimer();
}

void Http2Relay::RearmTimer() {
  const auto& limits = core_.settings.limits;
  if (last_) return idle_.Arm(core_.loop, core_.loop.now() + kLingerTimeout);
  MonoTime due = last_active_ + limits.idle_timeout;
  for (const auto* session : {&job_, &upstream_}) {
    if (*session && (*session)->waits_since() != MonoTime::max()) {
      due = std::min(due, (*session)->waits_since() + limits.head_timeout);
    }
  }
  idle_.Arm(core_.loop, due);
}

void Http2Relay::Turn() {
  last_active_ = core_.loop.now();
  for (int step = 0; !closed(); ++step) {
    if (step == kStepsPerTurn) {
      again_.ArmNow(core_.loop);
      break;
    }
    if (!Step()) break;
  }
  if (closed()) return;
  core_.CheckBudget();
  if (closed()) return;
  if (rate_wait_) again_.Arm(core_.loop, core_.ledger.RetryAt(core_.loop.now()));
  if (!last_) RearmTimer();
}

bool Http2Relay::Step() {
  if (last_) return StepLast();
  bool moved = upstream_ && Drain(server_, *upstream_);
  if (closed()) return false;
  if (server_.broken && !server_.out.empty()) {  // what the upstream said before it closed may still be read
    server_.out.clear();
    server_.ending = server_.readable = moved = true;
  }
  moved |= Drain(client_, *job_);
  if (closed()) return false;
  if (client_.broken) return Close(), false;
  moved |= Feed(client_, *job_, true);
  if (closed()) return false;
  if (upstream_) moved |= Feed(server_, *upstream_, false);
  if (closed()) return false;
  if (client_.ended) return Close(), false;
  if (upstream_ && (server_.ended || upstream_->over())) {
    UpstreamEnded();
    moved = true;
  }
  if (job_->over()) last_ = moved = true;
  EndWhenDone();
  return moved || last_;
}

/// Writes what the session has to say.
bool Http2Relay::Drain(HttpSide& side, Http2Session& session) {
  const auto said = session.Send(side.out, kBufferBytes);
  if (closed()) return false;
  if (!said) side.broken = side.ended = true;
  return side.Flush() || (said && *said);
}

/// Reads for the session.
bool Http2Relay::Feed(HttpSide& side, Http2Session& session, bool out) {
  const std::size_t allowed = core_.ledger.Allow(kBufferBytes, core_.loop.now());
  if (allowed == 0) {
    rate_wait_ = !core_.ledger.budget_spent();
    return false;
  }
  if (!side.Fill(core_.scratch, allowed) && side.in.empty()) return false;
  const std::string came = std::exchange(side.in, {});
  out ? core_.ledger.CountOut(account_, came.size()) : core_.ledger.CountIn(account_, came.size());
  const auto read = session.Receive(came, core_.loop.now());
  if (closed() || read) return true;
  if (out) {
    last_ = true;
  } else {
    server_.ended = true;
  }
  return true;
}

/// Sends what is left, and lets the job finish reading.
bool Http2Relay::StepLast() {
  if (!idle_.armed() || !end_written_) RearmTimer();
  const auto said = job_->Send(client_.out, kBufferBytes);
  const bool moved = client_.Flush() || (said && *said);
  if (client_.broken) return Close(), false;
  if (!client_.out.empty() || moved) return moved;
  if (!end_written_) {
    end_written_ = true;
    server_.Drop();
    if (!client_.EndWriting()) return Close(), false;
  }
  client_.in.clear();  // closing with unread bytes would reset the connection and lose what was sent
  if (!client_.Fill(core_.scratch, kBufferBytes)) return false;
  if (client_.ended) Close();
  return !closed();
}

void Http2Relay::UpstreamEnded() {
  upstream_gone_ = true;
  for (auto& [stream, exchange] : exchanges_) {
    if (exchange->up == 0) continue;
    exchange->up = 0;
    if (!exchange->responded) {
      Answer(*exchange, 502, std::string(kUpstreamError));
    } else if (!exchange->response.ended()) {
      job_->Reset(stream, kHttp2InternalError);
    }
  }
  by_up_.clear();
  server_.Drop();
  upstream_.reset();
  job_->GoAway();
}

void Http2Relay::EndWhenDone() {
  if (upstream_gone_ && exchanges_.empty()) last_ = true;
}

void Http2Relay::Rejudge() {
  const auto& target = destination_.target;
  auto verdict = core_.settings.upstream || !server_.fd.valid()
                     ? policy::DecideEgress(core_.rules(), target)
                     : policy::DecideAddress(core_.rules(), target, remote_.address);
  if (verdict.allowed || last_) return;
  ResetOnClose(client_.fd.get());
  // When this cannot be recorded everything is cut, which is what follows anyway.
  static_cast<void>(core_.Record({destination_.host, target.port, destination_.via, std::move(verdict), {}, {}}));
  Close();
}

}  // namespace writ::egress

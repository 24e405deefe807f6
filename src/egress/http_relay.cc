#include "egress/http_relay.h"

#include <sys/epoll.h>

#include "crypto/secret.h"
#include "egress/refusal.h"
#include "egress/sockets.h"

namespace writ::egress {
namespace {
constexpr std::size_t kResponseHeadBytesMax = 32U << 10;

bool SameTarget(const policy::EgressTarget& a, const policy::EgressTarget& b) {
  return a.host == b.host && a.port == b.port;
}
}  // namespace

void ServeHttpProxy(Core& core, sys::UniqueFd client) {
  auto& relay = core.Adopt(std::make_unique<HttpRelay>(core, std::move(client)));
  if (!relay.closed() && !relay.Start()) relay.Close();
}

void StartRelayInTunnel(Core& core, RelayParts parts) {
  auto& relay = core.Adopt(std::make_unique<HttpRelay>(core, std::move(parts)));
  if (!relay.closed() && !relay.Start()) relay.Close();
}

HttpRelay::HttpRelay(Core& core, sys::UniqueFd client)
    : Connection(core),
      in_tunnel_(false),
      last_active_(core.loop.now()),
      idle_(*this),
      again_(*this) {
  client_.fd = std::move(client);
  LimitHeads();
  head_by_ = last_active_ + core.settings.limits.head_timeout;
}

HttpRelay::HttpRelay(Core& core, RelayParts parts)
    : Connection(core),
      in_tunnel_(true),
      kind_(parts.kind),
      upstream_failure_(std::move(parts.upstream_failure)),
      destination_(std::move(parts.destination)),
      remote_(parts.upstream.remote),
      account_(&core.ledger.Account({destination_->host, destination_->target.port})),
      last_active_(core.loop.now()),
      idle_(*this),
      again_(*this) {
  client_.fd = std::move(parts.client);
  client_.in = std::move(parts.from_client);
  client_.tls = std::move(parts.client_tls);
  server_.fd = std::move(parts.upstream.socket);
  server_.in = std::move(parts.upstream.early);
  server_.tls = std::move(parts.upstream_tls);
  LimitHeads();
  head_by_ = last_active_ + core.settings.limits.head_timeout;
  ++account_->connections;
}

void HttpRelay::LimitHeads() {
  client_.scanner = net::Http1HeadScanner({.head_bytes_max = core_.settings.limits.head_bytes_max});
  server_.scanner = net::Http1HeadScanner({.head_bytes_max = kResponseHeadBytesMax});
}

Result<> HttpRelay::Start() {
  WRIT_TRY("relay", client_.watch.Start(core_.loop, client_.fd.get(), *this));
  if (server_.fd.valid()) WRIT_TRY("relay", server_.watch.Start(core_.loop, server_.fd.get(), *this));
  RearmIdle();
  Turn();
  return {};
}

void HttpRelay::OnReady(Watch& watch, std::uint32_t events) {
  HttpSide& side = &watch == &client_.watch ? client_ : server_;
  side.Note(events);
  const bool spoke = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (&side == &server_ && phase_ == Phase::kHead && !in_tunnel_ && spoke) {
    server_.Drop();  // an idle upstream that ends, or speaks unasked, is not used again
  }
  if (&side == &server_ && phase_ == Phase::kHead && kind_.secured && side.ending && client_.in.empty()) {
    Last({});  // the job makes a new connection
  }
  if (&side == &client_ && phase_ == Phase::kDial && (events & (EPOLLHUP | EPOLLERR)) != 0) return Close();
  Turn();
}

void HttpRelay::OnDue(Timer& timer) {
  if (&timer == &again_) {
    rate_wait_ = false;
    return Turn();
  }
  const MonoTime now = core_.loop.now();
  if (phase_ == Phase::kLinger) return Close();
  if (phase_ == Phase::kHead && now >= head_by_) {
    if (client_.in.empty()) return Close();
    return in_tunnel_ ? Close() : AnswerAndEnd(408, "request head not complete in time"), Turn();
  }
  if (now >= last_active_ + core_.settings.limits.idle_timeout) return Close();
  RearmIdle();
}

void HttpRelay::OnClose() {
  client_.watch.Stop();
  server_.watch.Stop();
  idle_.Disarm();
  again_.Disarm();
}

void HttpRelay::RearmIdle() {
  const MonoTime idle_at = last_active_ + core_.settings.limits.idle_timeout;
  idle_.Arm(core_.loop, phase_ == Phase::kHead ? std::min(head_by_, idle_at) : idle_at);
}

void HttpRelay::Turn() {
  last_active_ = core_.loop.now();
  for (int step = 0; !closed(); ++step) {
    if (step == kStepsPerTurn) return again_.ArmNow(core_.loop);
    if (!Step()) break;
  }
  if (closed()) return;
  core_.CheckBudget();
  if (!closed() && rate_wait_) again_.Arm(core_.loop, core_.ledger.RetryAt(core_.loop.now()));
}

bool HttpRelay::Step() {
  bool moved = FlushBoth();
  if (closed()) return false;
  switch (phase_) {
    case Phase::kHead:
      return StepHead() || moved;
    case Phase::kDial:
      return moved;
    case Phase::kExchange: {
      moved |= StepRequestBody(server_.out);
      if (!closed() && phase_ == Phase::kExchange) moved |= StepResponse();
      return moved;
    }
    case Phase::kCollect:
      return StepCollect() || moved;
    case Phase::kRaw:
      return StepRaw() || moved;
    case Phase::kLast:
    case Phase::kLinger:
      return StepLinger() || moved;
  }
  return false;
}

bool HttpRelay::FlushBoth() {
  bool moved = client_.Flush();
  if (client_.broken) {
    Close();
    return true;
  }
  moved |= server_.Flush();
  if (server_.broken && !server_.out.empty()) {  // what the upstream said before it closed may still be read
    server_.out.clear();
    server_.ending = server_.readable = true;
    moved = true;
  }
  return moved;
}

bool HttpRelay::FillCounted(HttpSide& side) {
  // Heads are counted when they are complete. One that fills the rest of the budget before that never would be.
  if (!side.in.empty() && !core_.ledger.budget_spent() && core_.ledger.budget_spent_by(side.in.size())) {
    if (&side == &server_) {
      core_.ledger.CountIn(*account_, side.in.size());
    } else {
      core_.ledger.CountOut(*account_, side.in.size());
    }
    return true;
  }
  const std::size_t allowed = core_.ledger.Allow(kBufferBytes, core_.loop.now());
  if (allowed == 0) {
    rate_wait_ = true;
    return false;
  }
  const bool moved = side.Fill(core_.scratch, std::min(kBufferBytes, allowed));
  if (client_.broken) Close();
  return moved;
}

bool HttpRelay::StepHead() {
  const auto text = client_.TakeHead();
  const auto head = text && !text->empty() ? net::ParseRequestHead(*text)
                    : text                 ? net::Http1Result<net::Http1RequestHead>()
                                           : std::unexpected(text.error());
  if (!head) {
    if (in_tunnel_) {
      CutWith({.allowed = false, .rule = "tunnel.host", .reason = head.error().reason, .smallest_grant = {}});
    } else {
      CarryOut(PlanRefusedHead(head.error()));
    }
    return true;
  }
  if (!text->empty()) {
    CarryOut(in_tunnel_ ? PlanTunnelRequest(*head, core_.rules(), core_.settings, *destination_, kind_)
                        : PlanProxyRequest(*head, core_.rules(), core_.settings));
    return true;
  }
  if (client_.ended) {
    Close();
    return true;
  }
  const bool was_empty = client_.in.empty();
  if (!client_.Fill(core_.scratch, core_.settings.limits.head_bytes_max + 1)) return false;
  if (client_.broken) return Close(), true;
  if (was_empty && any_request_ && !client_.in.empty()) {
    head_by_ = core_.loop.now() + core_.settings.limits.head_timeout;
    RearmIdle();
  }
  return true;
}

void HttpRelay::CarryOut(HttpPlan plan) {
  any_request_ = true;
  plan_ = std::move(plan);
  if (plan_.attempt && !core_.Record(*plan_.attempt)) return;
  switch (plan_.kind) {
    case HttpPlan::Kind::kCut:
      ResetOnClose(client_.fd.get());
      return Close();
    case HttpPlan::Kind::kAnswer: {
      const bool keep = plan_.keep_alive && plan_.body.framing == net::BodyFraming::kNone && !in_tunnel_;
      client_.out += Answer(plan_.status, plan_.answer, SystemClock().Now(), plan_.minor == 0, plan_.head_only(),
                            keep ? After::kKeepAlive : After::kClose);
      return keep ? AwaitRequest() : Last({});
    }
    case HttpPlan::Kind::kConnectRefused:
      return Last(std::string(kConnectRefused));
    case HttpPlan::Kind::kForward:
      if (!upstream_failure_.empty()) return AnswerAndEnd(502, upstream_failure_ + "\n");
      if (plan_.whole_first && server_.fd.valid()) return Collect();
      if (server_.fd.valid() && SameTarget(destination_->target, plan_.destination.target)) return Forward();
      [[fallthrough]];
    case HttpPlan::Kind::kTunnel:
      if (in_tunnel_) return Close();  // the tunnel's own connection is gone
      server_.Drop();
      destination_ = plan_.destination;
      reused_ = false;
      return StartDial();
  }
}

void HttpRelay::StartDial() {
  phase_ = Phase::kDial;
  const bool tunnel = plan_.kind == HttpPlan::Kind::kTunnel;
  dial_ = std::make_unique<Dial>(core_, *destination_, tunnel ? UpstreamUse::kTunnel : UpstreamUse::kPlain, *this);
  RearmIdle();
}

void HttpRelay::OnDialed(Result<Dialed> dialed) {
  dial_.reset();
  if (closed()) return;
  if (!dialed) {
    const bool refused = dialed.error().code == Code::kDenied && !core_.settings.upstream;
    if (plan_.kind == HttpPlan::Kind::kTunnel) {
      refused ? Last(std::string(kConnectRefused)) : Close();
    } else {
      refused ? AnswerAndEnd(403, RefusalBody({}, false)) : AnswerAndEnd(502, kUpstreamError);
    }
    if (!closed()) Turn();
    return;
  }
  if (plan_.kind == HttpPlan::Kind::kTunnel) return OpenTunnel(*std::move(dialed));
  server_.fd = std::move(dialed->socket);
  remote_ = dialed->remote;
  account_ = &core_.ledger.Account({destination_->host, destination_->target.port});
  ++account_->connections;
  if (!server_.watch.Start(core_.loop, server_.fd.get(), *this)) return Close();
  Forward();
  Turn();
}

void HttpRelay::Forward() {
  server_.out += plan_.head;
  core_.ledger.CountOut(*account_, plan_.head.size());
  server_.secret |= plan_.released;
  if (plan_.released) crypto::Wipe(plan_.head);
  request_body_ = RequestBody(plan_.framing);
  response_head_done_ = response_started_ = false;
  phase_ = Phase::kExchange;
  RearmIdle();
}

bool HttpRelay::StepRequestBody(std::string& to) {
  if (request_body_.done() || server_.out.size() >= kBufferBytes) return false;
  bool moved = false;
  if (client_.in.empty()) moved = FillCounted(client_);
  if (closed()) return false;
  if (client_.in.empty()) {
    if (client_.ended) Close();  // half a request is no request
    return moved;
  }
  const auto taken = request_body_.Take(client_.in, to);
  if (!taken) {
    taken.error().status == 403 ? RefuseBody() : Close();
    return true;
  }
  client_.in.erase(0, *taken);
  core_.ledger.CountOut(*account_, *taken);
  return true;
}

bool HttpRelay::StepResponse() {
  if (client_.out.size() >= kBufferBytes) return false;
  bool moved = false;
  if (!response_head_done_ || server_.in.empty()) moved = FillCounted(server_);
  if (closed()) return false;
  if (!server_.in.empty()) response_started_ = true;
  return (response_head_done_ ? StepResponseBody() : StepResponseHead()) || moved;
}

bool HttpRelay::StepResponseHead() {
  const std::size_t before = server_.in.size();
  const auto text = server_.TakeHead();
  if (text && text->empty()) {
    if (!server_.ended) return false;
    UpstreamFailed();
    return true;
  }
  auto head = text ? net::ParseResponseHead(*text) : std::unexpected(text.error());
  if (!head) {
    UpstreamFailed();
    return true;
  }
  core_.ledger.CountIn(*account_, before - server_.in.size());
  Hide(*head);
  Pass(PlanResponse(*std::move(head), plan_));
  return true;
}

void HttpRelay::Pass(ResponsePlan response) {
  switch (response.kind) {
    case ResponsePlan::Kind::kBad:
      return UpstreamFailed();
    case ResponsePlan::Kind::kSwitch:
      return BecomeTunnel(std::move(response.head));
    case ResponsePlan::Kind::kInterim:
      client_.out += response.head;
      return;
    case ResponsePlan::Kind::kFinal:
      break;
  }
  client_.out += response.head;
  response_head_done_ = true;
  response_body_ = ResponseBody(response);
  keep_server_ = response.keep_server;
  keep_client_ = response.keep_client;
  if (response_body_.done()) FinishExchange();
}

bool HttpRelay::StepResponseBody() {
  if (!server_.in.empty()) {
    const auto taken = response_body_.Take(server_.in, client_.out);
    if (!taken) {  // the job must not take a broken body for a whole one
      ResetOnClose(client_.fd.get());
      Close();
      return true;
    }
    server_.in.erase(0, *taken);
    core_.ledger.CountIn(*account_, *taken);
    if (response_body_.done()) FinishExchange();
    return true;
  }
  if (!server_.ended) return false;
  if (response_body_.EndsHere() && !server_.cut) {
    response_body_.End(client_.out);
    FinishExchange();
  } else {
    ResetOnClose(client_.fd.get());
    Close();
  }
  return true;
}

void HttpRelay::FinishExchange() {
  const bool whole = request_body_.done();
  reused_ = true;
  if (!keep_server_ || !whole || !server_.in.empty() || server_.ended) {
    if (in_tunnel_) keep_client_ = false;
    server_.Drop();
  }
  if (!keep_client_ || !whole) {
    phase_ = Phase::kLast;
    return;
  }
  AwaitRequest();
}

void HttpRelay::AwaitRequest() {
  phase_ = Phase::kHead;
  head_by_ = client_.in.empty() ? MonoTime::max() : core_.loop.now() + core_.settings.limits.head_timeout;
  RearmIdle();
}

void HttpRelay::UpstreamFailed() {
  const bool again = reused_ && !response_started_ && !in_tunnel_ && plan_.repeatable();
  server_.Drop();
  if (kind_.secured && reused_ && !response_started_) return Close();  // as without us: the job decides about again
  if (again) {  // RFC 9112 section 9.3.1: an idle connection may end at any time
    reused_ = false;
    return StartDial();
  }
  AnswerAndEnd(502, kUpstreamError);
}

void HttpRelay::Last(std::string bytes) {
  client_.out += bytes;
  phase_ = Phase::kLast;
  RearmIdle();
}

void HttpRelay::AnswerAndEnd(int status, std::string_view body) {
  Last(Answer(status, body, SystemClock().Now(), plan_.minor == 0, plan_.head_only(), After::kClose));
}

bool HttpRelay::StepLinger() {
  if (!client_.out.empty()) return false;
  if (phase_ == Phase::kLast) {
    phase_ = Phase::kLinger;
    server_.Drop();
    if (!client_.EndWriting()) {
      Close();
      return true;
    }
    idle_.Arm(core_.loop, core_.loop.now() + kLingerTimeout);
  }
  client_.in.clear();  // closing with unread bytes would reset the connection and lose the answer
  if (!client_.Fill(core_.scratch, kBufferBytes)) return false;
  if (client_.ended) Close();
  return true;
}

}  // namespace writ::egress

#include "egress/transparent.h"

#include <sys/epoll.h>

#include "egress/sockets.h"
#include "egress/tunnel.h"

namespace writ::egress {

TransparentConnection::TransparentConnection(Core& core, sys::UniqueFd client)
    : Connection(core), client_(std::move(client)) {}

policy::EgressVerdict TransparentConnection::Judge(const Endpoint& to) {
  const std::string* name = core_.names.NameOf(to.address);
  auto& target = destination_.target;
  target.port = to.port;
  if (name != nullptr) {
    target.host.name = *name;
  } else {
    target.host.address = to.address;
  }
  destination_.host = target.host.ToText();
  target.spelled = destination_.host;
  destination_.via = "transparent";
  policy::EgressVerdict verdict;
  if (core_.IsOwnListener(to)) {
    verdict.rule = "proxy.self";
    verdict.reason = "this is the proxy itself";
  } else if (name == nullptr && NamePool::InRange(to.address)) {
    verdict.rule = "proxy.names";
    verdict.reason = "no name was looked up that has this address";
  } else {
    verdict = policy::DecideEgress(core_.rules(), target);
  }
  return verdict;
}

void TransparentConnection::Start() {
  const auto to = core_.settings.original_destination(client_.get());
  policy::EgressVerdict verdict;
  if (to) {
    verdict = Judge(*to);
  } else {  // a direct connection to the listener's own port
    destination_.via = "transparent";
    verdict.rule = "proxy.self";
    verdict.reason = "the connection was not redirected here";
  }
  by_request_ = verdict.intercept;
  if (!core_.Record({destination_.host, destination_.target.port, destination_.via, verdict, {}, {}})) return;
  if (!verdict.allowed) return Reset();
  if (!client_watch_.Start(core_.loop, client_.get(), *this)) return Reset();
  dial_ = std::make_unique<Dial>(core_, destination_, UpstreamUse::kTunnel, *this);
}

void TransparentConnection::OnReady(Watch&, std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) Close();  // the job gave up while we were connecting
}

void TransparentConnection::OnDue(Timer&) {}

void TransparentConnection::OnDialed(Result<Dialed> dialed) {
  dial_.reset();
  if (!dialed) return Reset();
  TunnelParts parts;
  parts.destination = std::move(destination_);
  parts.by_request = by_request_;
  parts.client = std::move(client_);
  parts.upstream = *std::move(dialed);
  auto& tunnel = core_.Adopt(std::make_unique<Tunnel>(core_, std::move(parts), Carry::kJudged));
  if (!tunnel.closed() && !tunnel.Start(&client_watch_)) tunnel.Close();
  Close();
}

void TransparentConnection::Rejudge() {
  const auto verdict = policy::DecideEgress(core_.rules(), destination_.target);
  if (!verdict.allowed) Reset();
}

void TransparentConnection::Reset() {
  if (client_.valid()) ResetOnClose(client_.get());
  Close();
}

}  // namespace writ::egress

#include "egress/dial.h"

#include <sys/epoll.h>

#include <algorithm>

#include "egress/consent.h"
#include "egress/sockets.h"
#include "policy/egress.h"

namespace writ::egress {

struct Dial::Try {
  sys::UniqueFd socket;
  Endpoint to;
  Watch watch;  // after the socket: it ends first
};

Dial::Dial(Core& core, const Destination& destination, UpstreamUse use, DialOwner& owner)
    : core_(core),
      destination_(destination),
      use_(use),
      owner_(owner),
      last_error_{Code::kUnavailable, "no address could be reached"},
      deadline_(*this),
      delay_(*this),
      start_(*this) {
  deadline_.Arm(core_.loop, core_.loop.now() + core_.settings.limits.connect_timeout);
  start_.ArmNow(core_.loop);
}

Dial::~Dial() = default;

void Dial::OnTimer(Timer& timer) {
  if (&timer == &start_) return Begin();
  if (&timer == &delay_) return StartNext();
  Finish(Fail(Code::kDeadline, "not connected within {} ms", core_.settings.limits.connect_timeout.count()));
}

void Dial::Begin() {
  const auto& upstream = core_.settings.upstream;
  net::Host host = destination_.target.host;
  if (upstream) {
    auto parsed = net::NormaliseHost(upstream->host);
    if (!parsed) return Finish(std::unexpected(std::move(parsed).error().Doing("upstream proxy")));
    host = *std::move(parsed);
  }
  if (host.address) {
    OnResolved(std::vector{*host.address});
  } else {
    lookup_ =
        core_.resolver.Resolve(core_.loop, host.name, core_.loop.now() + core_.settings.limits.connect_timeout, *this);
  }
}

void Dial::OnResolved(Result<std::vector<net::IpAddress>> addresses) {
  if (!addresses) return Finish(std::unexpected(std::move(addresses).error()));
  if (addresses->size() > kAddressesMax) addresses->resize(kAddressesMax);
  if (const auto& upstream = core_.settings.upstream) {
    Queue(*addresses, upstream->port);  // the operator's own choice; it decides about addresses from here
  } else if (!Judge(*addresses)) {
    return;
  }
  StartNext();
}

bool Dial::Judge(const std::vector<net::IpAddress>& addresses) {
  const auto& target = destination_.target;
  std::vector<net::IpAddress> allowed;
  for (const auto& address : addresses) {
    policy::EgressVerdict verdict = policy::DecideAddress(core_.rules(), target, address);
    if (verdict.allowed && core_.IsOwnListener({address, target.port})) {
      verdict = {};
      verdict.rule = "proxy.self";
      verdict.reason = "this is the proxy itself";
    }
    if (verdict.allowed) {
      allowed.push_back(address);
    } else if (!core_.Record({destination_.host, target.port, destination_.via, verdict, {}, {}})) {
      return false;  // everything was cut, this object too
    }
  }
  if (!allowed.empty()) {
    Queue(allowed, target.port);
    return true;
  }
  Finish(Fail(Code::kDenied, "every address of {} is refused", destination_.host));
  return false;
}

void Dial::Queue(const std::vector<net::IpAddress>& addresses, std::uint16_t port) {
  // RFC 8305 section 4: keep the order within a family, let the families take turns, beginning with the first one.
  std::vector<net::IpAddress> first, second;
  for (const auto& address : addresses) {
    (address.is_v6() == addresses.front().is_v6() ? first : second).push_back(address);
  }
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) queue_.push_back({first[i], port});
    if (i < second.size()) queue_.push_back({second[i], port});
  }
  std::ranges::reverse(queue_);
}

void Dial::StartNext() {
  while (!queue_.empty()) {
    const Endpoint to = queue_.back();
    queue_.pop_back();
    auto socket = StartConnect(to);
    if (!socket) {
      last_error_ = std::move(socket).error();
      continue;
    }
    auto started = std::make_unique<Try>(*std::move(socket), to);
    const auto made = ConnectedAtOnce(started->socket.get(), to);
    if (!made) {
      last_error_ = made.error();
      continue;
    }
    if (*made && plain()) return Finish(Dialed{std::move(started->socket), to, {}});
    if (auto watched = started->watch.Start(core_.loop, started->socket.get(), *this); !watched) {
      last_error_ = std::move(watched).error();
      continue;
    }
    tries_.push_back(std::move(started));
    if (!queue_.empty()) delay_.Arm(core_.loop, core_.loop.now() + kAttemptDelay);
    return;
  }
  if (tries_.empty()) Finish(std::unexpected(last_error_));
}

void Dial::OnEvents(Watch& watch, std::uint32_t events) {
  if (chosen_) {
    if ((events & EPOLLOUT) != 0 && !to_send_.empty())
      AskUpstream();
    else
      ReadConsent();
    return;
  }
  const auto found = std::ranges::find_if(tries_, [&](const auto& item) { return &item->watch == &watch; });
  if (found == tries_.end() || (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
  if (auto connected = Connected((*found)->socket.get()); connected)
    return Won(**found);
  else
    last_error_ = std::move(connected).error();
  tries_.erase(found);
  delay_.Disarm();
  StartNext();
}

void Dial::Won(Try& winner) {
  delay_.Disarm();
  if (plain()) {
    winner.watch.Stop();
    return Finish(Dialed{std::move(winner.socket), winner.to, {}});
  }
  const auto found = std::ranges::find_if(tries_, [&](const auto& item) { return item.get() == &winner; });
  chosen_ = std::move(*found);
  tries_.clear();
  to_send_ = AskForTunnel(destination_.target, core_.settings.upstream->authorization);
  AskUpstream();
}

void Dial::AskUpstream() {
  const Io io = Send(chosen_->socket.get(), to_send_.data(), to_send_.size());
  if (io.end == IoEnd::kBroken) return Finish(Fail(Code::kUnavailable, "the upstream proxy closed the connection"));
  to_send_.erase(0, io.bytes);
}

void Dial::ReadConsent() {
  for (;;) {
    const Io io = Receive(chosen_->socket.get(), core_.scratch.data(), kConsentBytesMax);
    if (io.end == IoEnd::kBlocked) return;
    if (io.end != IoEnd::kMoved) return Finish(Fail(Code::kUnavailable, "the upstream proxy closed the connection"));
    received_.append(core_.scratch.data(), io.bytes);
    auto consent = ReadTunnelConsent(received_);
    if (!consent) return Finish(std::unexpected(std::move(consent).error()));
    if (*consent == 0) continue;
    chosen_->watch.Stop();
    return Finish(Dialed{std::move(chosen_->socket), chosen_->to, received_.substr(*consent)});
  }
}

void Dial::Finish(Result<Dialed> dialed) {
  deadline_.Disarm();
  delay_.Disarm();
  lookup_.reset();
  queue_.clear();
  owner_.OnDialed(std::move(dialed));  // may destroy this object
}

}  // namespace writ::egress

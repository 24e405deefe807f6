#include "egress/dns_exchange.h"

#include <sys/epoll.h>

#include <array>

#include "base/ids.h"
#include "egress/sockets.h"

namespace writ::egress {
namespace {
constexpr std::size_t kDatagramBytes = 4096;
}

DnsExchange::DnsExchange(EventLoop& loop, const ServerList& servers, std::string name, std::uint16_t type,
                         DnsExchangeOwner& owner)
    : loop_(loop), servers_(servers), name_(std::move(name)), type_(type), owner_(owner), timer_(*this) {
  timer_.ArmNow(loop_);
}

void DnsExchange::OnTimer(Timer&) {
  if (!done_) Ask(false);  // the first time, and whenever an attempt took too long
}

bool DnsExchange::Ask(bool over_tcp) {
  for (;; over_tcp = false) {
    watch_.Stop();
    socket_.Reset();
    received_.clear();
    if (!over_tcp && attempts_ >= servers_.servers.size() * servers_.rounds) {
      Finish(Fail(Code::kUnavailable, "no name server answered for {}", name_));
      return false;
    }
    if (!over_tcp) ++attempts_;
    tcp_ = over_tcp;
    if (Open(servers_.servers[(attempts_ - 1) % servers_.servers.size()])) break;
  }
  timer_.Arm(loop_, std::chrono::steady_clock::now() + servers_.attempt_timeout);
  return true;
}

bool DnsExchange::Open(const Endpoint& server) {
  std::array<std::uint8_t, 2> random{};
  FillRandom(random);
  id_ = static_cast<std::uint16_t>(random[0] << 8 | random[1]);
  auto question = net::BuildDnsLookup(id_, name_, type_);
  auto socket = tcp_ ? StartConnect(server) : ConnectedDatagram(server);
  if (!question || !socket) return false;
  socket_ = *std::move(socket);
  question_ = *std::move(question);
  if (!watch_.Start(loop_, socket_.get(), *this)) return false;
  if (!tcp_) return Send(socket_.get(), question_.data(), question_.size()).end == IoEnd::kMoved;
  question_.insert(0, {static_cast<char>(question_.size() >> 8), static_cast<char>(question_.size() & 0xFF)});
  return true;
}

void DnsExchange::OnEvents(Watch&, std::uint32_t events) {
  if (done_) return;
  if (!tcp_) return ReadDatagrams();
  if ((events & EPOLLOUT) != 0 && !WriteStream()) return;
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) ReadStream();
}

void DnsExchange::ReadDatagrams() {
  std::array<char, kDatagramBytes> buffer;
  for (;;) {
    const Io io = Receive(socket_.get(), buffer.data(), buffer.size());
    if (io.end == IoEnd::kBlocked) return;
    if (io.end == IoEnd::kBroken) {  // nobody listens there
      Ask(false);
      return;
    }
    auto answer = net::ParseDnsLookup(AsBytes({buffer.data(), io.bytes}), id_, name_, type_);
    if (!answer) continue;  // anybody may send such a thing: the true one may still come
    return Take(*std::move(answer));
  }
}

bool DnsExchange::WriteStream() {
  while (!question_.empty()) {
    const Io io = Send(socket_.get(), question_.data(), question_.size());
    if (io.end == IoEnd::kBlocked) break;
    if (io.end != IoEnd::kMoved) {
      Ask(false);
      return false;
    }
    question_.erase(0, io.bytes);
  }
  return true;
}

void DnsExchange::ReadStream() {
  std::array<char, kDatagramBytes> buffer;
  for (;;) {
    const Io io = Receive(socket_.get(), buffer.data(), buffer.size());
    if (io.end == IoEnd::kBlocked) return;
    if (io.end != IoEnd::kMoved) {
      Ask(false);
      return;
    }
    received_.append(buffer.data(), io.bytes);
    if (received_.size() < 2) continue;
    const std::size_t length = static_cast<std::uint8_t>(received_[0]) << 8 | static_cast<std::uint8_t>(received_[1]);
    if (received_.size() - 2 < length) continue;
    auto answer = net::ParseDnsLookup(AsBytes(std::string_view(received_).substr(2, length)), id_, name_, type_);
    if (answer) return Take(*std::move(answer));
    Ask(false);
    return;
  }
}

void DnsExchange::Take(net::DnsLookup answer) {
  if (answer.truncated && !tcp_) {
    Ask(true);
  } else if (answer.truncated ||
             (answer.rcode != net::DnsRcode::kNoError && answer.rcode != net::DnsRcode::kNxDomain)) {
    Ask(false);
  } else {
    Finish(std::move(answer));
  }
}

void DnsExchange::Finish(Result<net::DnsLookup> answer) {
  done_ = true;
  timer_.Disarm();
  watch_.Stop();
  owner_.OnAnswered(*this, std::move(answer));  // may destroy this object
}

}  // namespace writ::egress

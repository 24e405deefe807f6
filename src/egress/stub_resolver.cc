#include "egress/stub_resolver.h"

#include <algorithm>

namespace writ::egress {
namespace {

constexpr std::uint16_t kDnsPort = 53;

class StubLookup final : public Lookup, public EventTarget, public DnsExchangeOwner {
 public:
  /// With addresses: says them in the next round. Without: asks.
  StubLookup(EventLoop& loop, std::vector<net::IpAddress> known, const ServerList& servers, const std::string& name,
             MonoTime deadline, LookupOwner& owner)
      : loop_(loop), owner_(owner), name_(name), v4_(std::move(known)), timer_(*this), deadline_(*this) {
    if (!v4_.empty()) {
      timer_.ArmNow(loop);
      return;
    }
    deadline_.Arm(loop, deadline);
    for (const std::uint16_t type : {net::kDnsAaaa, net::kDnsA}) {
      (type == net::kDnsA ? ask4_ : ask6_) = std::make_unique<DnsExchange>(loop, servers, name, type, *this);
    }
  }

 private:
  void OnEvents(Watch&, std::uint32_t) override {}
  void OnTimer(Timer& timer) override {
    if (&timer == &deadline_) return Tell(Fail(Code::kDeadline, "the name servers took too long for {}", name_));
    TellAddresses();
  }
  void OnAnswered(DnsExchange& exchange, Result<net::DnsLookup> answer) override {
    const bool v4 = exchange.type() == net::kDnsA;
    (v4 ? ask4_ : ask6_).reset();
    if (!answer) {
      error_ = std::move(answer).error();
    } else {
      (v4 ? v4_ : v6_) = std::move(answer->addresses);
    }
    if (!ask4_ && !ask6_) return TellAddresses();
    // IPv4 waits a little for IPv6; IPv6 goes first anyway, and need not wait long for its second choice.
    if (!v4_.empty() || !v6_.empty())
      timer_.Arm(loop_, std::chrono::steady_clock::now() + StubResolver::kResolutionDelay);
  }
  void TellAddresses() {
    std::vector<net::IpAddress> addresses = std::move(v6_);
    addresses.insert(addresses.end(), v4_.begin(), v4_.end());
    if (!addresses.empty()) return Tell(std::move(addresses));
    if (error_) return Tell(std::unexpected(*std::move(error_)));
    Tell(Fail(Code::kNotFound, "{} has no address", name_));
  }
  void Tell(Result<std::vector<net::IpAddress>> result) {
    ask4_.reset(), ask6_.reset();
    timer_.Disarm(), deadline_.Disarm();
    owner_.OnResolved(std::move(result));  // may destroy this object
  }

  EventLoop& loop_;
  LookupOwner& owner_;
  const std::string name_;
  std::vector<net::IpAddress> v4_, v6_;  ///< what is known from files is in v4_ whatever it is
  std::optional<Error> error_;
  std::unique_ptr<DnsExchange> ask4_, ask6_;
  Timer timer_, deadline_;
};

}  // namespace

StubResolver::StubResolver(ResolverFiles files) : files_(std::move(files)) {
  for (const auto& server : files_.nameservers) servers_.servers.push_back({server, kDnsPort});
  servers_.attempt_timeout = files_.attempt_timeout;
  servers_.rounds = files_.rounds;
}

std::unique_ptr<Lookup> StubResolver::Resolve(EventLoop& loop, const std::string& name, MonoTime deadline,
                                              LookupOwner& owner) {
  const auto found = files_.hosts.find(name);
  return std::make_unique<StubLookup>(loop, found == files_.hosts.end() ? std::vector<net::IpAddress>() : found->second,
                                      servers_, name, deadline, owner);
}

}  // namespace writ::egress

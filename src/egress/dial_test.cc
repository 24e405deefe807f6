#include "egress/dial.h"

#include <gmock/gmock.h>

#include <thread>

#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

class DialTest : public testing::Test, public DialOwner {
 protected:
  void SetUp() override { loop = *EventLoop::Create(); }
  Result<Dialed> Dial(policy::EgressRules rules, const std::string& host, std::uint16_t port,
                      CoreSettings settings = {}) {
    Core core(*loop, std::move(settings), std::move(rules), resolver, observer);
    Destination destination{{*net::NormaliseHost(host), port, host}, host, "connect"};
    result_.reset();
    auto dial = std::make_unique<egress::Dial>(core, destination, UpstreamUse::kTunnel, *this);
    while (!result_) EXPECT_TRUE(loop->RunOnce(Millis(1000)));
    return *std::move(result_);
  }
  void OnDialed(Result<Dialed> dialed) override { result_ = std::move(dialed); }

  std::unique_ptr<EventLoop> loop;
  TableResolver resolver;
  Observer observer;

 private:
  std::optional<Result<Dialed>> result_;
};

TEST_F(DialTest, TriesTheNextAddressWhenOneFails) {
  Upstream upstream;
  // Nobody listens on that port of ::1 and 127.0.0.2.
  resolver.Set("ok.test", {Ip("::1"), Ip("127.0.0.2"), Ip("127.0.0.1")});
  const auto dialed = Dial(Rules({"ok.test", "127.0.0.0/8", "[::1]"}), "ok.test", upstream.port());
  ASSERT_TRUE(dialed) << dialed.error().what;
  EXPECT_EQ(dialed->remote, upstream.endpoint());
}

TEST_F(DialTest, TheReasonsOfFailure) {
  Endpoint nobody;
  {
    Upstream closed;
    nobody = closed.endpoint();
  }
  const auto rules = Rules({"ok.test", "inside.test", "none.test", "127.0.0.1"});
  EXPECT_EQ(Dial(rules, "none.test", 80).error().code, Code::kNotFound);
  resolver.Set("ok.test", {Ip("127.0.0.1")});
  EXPECT_EQ(Dial(rules, "ok.test", nobody.port).error().code, Code::kUnavailable);
  resolver.Set("inside.test", {Ip("10.0.0.1")});
  EXPECT_EQ(Dial(rules, "inside.test", 80).error().code, Code::kDenied);
  EXPECT_EQ(observer.attempts().size(), 1U);
}

TEST_F(DialTest, TheDeadlineEndsAnUpstreamProxyThatSaysNothing) {
  Upstream silent;
  CoreSettings settings;
  settings.limits.connect_timeout = Millis(100);
  settings.upstream = UpstreamProxy{"127.0.0.1", silent.port(), {}};
  EXPECT_EQ(Dial(Rules({"ok.test"}), "ok.test", 443, settings).error().code, Code::kDeadline);
}

TEST_F(DialTest, AnUpstreamProxyThatRefusesIsUnderstood) {
  Upstream corporate;
  CoreSettings settings;
  settings.upstream = UpstreamProxy{"127.0.0.1", corporate.port(), {}};
  std::thread server([&] {
    Peer peer = corporate.Accept();
    peer.ReadUntil("\r\n\r\n");
    peer.Send("HTTP/1.1 407 No\r\n\r\n");
  });
  EXPECT_EQ(Dial(Rules({"ok.test"}), "ok.test", 443, settings).error().code, Code::kDenied);
  server.join();
}

}  // namespace
}  // namespace writ::egress::test

#include "egress/proxy.h"

#include <gmock/gmock.h>

#include <thread>

#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST_F(ProxyTest, ATunnelCarriesBothWaysAndHalfCloses) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  auto [client, server] = Tunnel(upstream.text(), upstream);
  server.Send("banner");
  EXPECT_EQ(client.Read(6), "banner");
  client.Send("question");
  client.EndWriting();
  EXPECT_EQ(server.ReadToEnd(), "question");
  server.Send("answer");
  server.Close();
  EXPECT_EQ(client.ReadToEnd(), "answer");
  EXPECT_EQ(proxy->Totals().at({"127.0.0.1", upstream.port()}), (HostBytes{8, 12, 1}));
  EXPECT_THAT(observer.Lines(), ElementsAre("connect 127.0.0.1 allowed"));
}

TEST_F(ProxyTest, BulkArrivesWholeThroughSlowReaders) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  auto [client, server] = Tunnel(upstream.text(), upstream);
  std::string sent(24U << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761U >> 13);
  std::thread sender([&] {
    server.Send(sent);
    server.Close();
  });
  EXPECT_TRUE(client.ReadToEnd() == sent);
  sender.join();
  EXPECT_EQ(proxy->Totals().at({"127.0.0.1", upstream.port()}).in, sent.size());
}

TEST_F(ProxyTest, KeptConnectionsAreJudgedRequestByRequest) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  Peer client = Client();
  client.Send(fmt::format("GET http://{}/a HTTP/1.1\r\nHost: x\r\n\r\n", upstream.text()));
  Peer server = upstream.Accept();
  EXPECT_THAT(server.ReadUntil("\r\n\r\n"), StartsWith("GET /a HTTP/1.1\r\n"));
  server.Send(kOk);
  EXPECT_THAT(client.ReadUntil("ok"), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.Send(fmt::format("GET http://{}/b?q HTTP/1.1\r\nHost: x\r\n\r\n", upstream.text()));
  EXPECT_THAT(server.ReadUntil("\r\n\r\n"), StartsWith("GET /b?q HTTP/1.1\r\n"));  // the same connection
  server.Send(kOk);
  client.ReadUntil("ok");
  client.Send("GET http://bad.test/ HTTP/1.1\r\nHost: bad.test\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("0\r\n\r\n"), HasSubstr("403 Forbidden"));
  client.Send(fmt::format("GET http://{}/c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", upstream.text()));
  server.ReadUntil("\r\n\r\n");
  server.Send(kOk);
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(observer.Lines(), ElementsAre("http 127.0.0.1 allowed", "http 127.0.0.1 allowed", "http bad.test default",
                                            "http 127.0.0.1 allowed"));
  EXPECT_EQ(observer.attempts()[1].path, "/b");
}

TEST_F(ProxyTest, ARefusalSaysTheRuleAndTheSmallestGrant) {
  Start({});
  EXPECT_THAT(Ask("GET http://pkg.test/simple HTTP/1.1\r\nHost: pkg.test\r\nConnection: close\r\n\r\n"),
              HasSubstr("blocked by warrant egress policy\nrule: default\n"));
  EXPECT_THAT(observer.attempts()[0].verdict.smallest_grant, HasSubstr("pkg.test"));
}

TEST_F(ProxyTest, BodiesPassInBothFramings) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  Peer client = Client();
  client.Send(
      fmt::format("POST http://{}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                  upstream.text()));
  Peer server = upstream.Accept();
  const std::string head = server.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_EQ(server.ReadUntil("0\r\n\r\n"), "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  server.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end");
  server.Close();
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("until the end"));
}

TEST_F(ProxyTest, AnUpgradeBecomesATunnel) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  Peer client = Client();
  client.Send(fmt::format("GET http://{}/chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                          upstream.text()));
  Peer server = upstream.Accept();
  EXPECT_THAT(server.ReadUntil("\r\n\r\n"), HasSubstr("Upgrade: websocket\r\n"));
  server.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
  EXPECT_THAT(client.ReadUntil("first"), StartsWith("HTTP/1.1 101 "));
  client.Send("GET http://anything/ is a frame here\r\n\r\n");
  EXPECT_EQ(server.Read(8), "GET http");
}

TEST_F(ProxyTest, AnUpstreamThatBreaksOffIsNotTakenForWhole) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  Peer client = Client();
  client.Send(fmt::format("GET http://{}/ HTTP/1.1\r\nHost: x\r\n\r\n", upstream.text()));
  Peer server = upstream.Accept();
  server.ReadUntil("\r\n\r\n");
  server.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  server.Close();
  client.ReadToEnd();
  EXPECT_TRUE(client.was_reset());
}

TEST_F(ProxyTest, NewRulesCutWhatTheyNoLongerGrant) {
  Upstream one, two;
  Start(Rules({one.text(), two.text()}));
  auto [client1, server1] = Tunnel(one.text(), one);
  auto [client2, server2] = Tunnel(two.text(), two);
  ASSERT_TRUE(proxy->ChangeRules(Rules({two.text()})));
  client1.ReadToEnd();
  EXPECT_TRUE(client1.was_reset());
  client2.Send("still");
  EXPECT_EQ(server2.Read(5), "still");
  EXPECT_EQ(observer.LastLine(), "connect 127.0.0.1 address-class");
  EXPECT_EQ(Ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n", one.text())), "HTTP/1.1 403 Forbidden\r\n\r\n");
}

TEST_F(ProxyTest, WhatCannotBeRecordedDoesNotHappen) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  auto [client, server] = Tunnel(upstream.text(), upstream);
  observer.FailFromNow();
  EXPECT_EQ(Ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n", upstream.text())), "");
  client.ReadToEnd();  // the tunnel that was open is cut, too
  server.ReadToEnd();
  EXPECT_FALSE(proxy->Health());
  EXPECT_EQ(proxy->ConnectionCount(), 0U);
  EXPECT_EQ(Ask("GET http://bad.test/ HTTP/1.1\r\nHost: x\r\n\r\n"), "");
}

TEST_F(ProxyTest, Attack27_TheBudgetCutsEverything) {
  Upstream upstream;
  EgressLimits limits;
  limits.bytes_max = 100'000;
  Start(Rules({upstream.text()}), limits);
  auto [client, server] = Tunnel(upstream.text(), upstream);
  std::thread sender([&] { server.Send(std::string(1U << 20, 'x')); });
  EXPECT_LE(client.ReadToEnd().size(), 100'000U);
  EXPECT_EQ(observer.WaitForBudget(), 100'000U);
  sender.join();
  EXPECT_EQ(proxy->Totals().at({"127.0.0.1", upstream.port()}).in, 100'000U);
  EXPECT_EQ(Ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n", upstream.text())), "");
}

TEST_F(ProxyTest, TheRateIsKept) {
  Upstream upstream;
  EgressLimits limits;
  limits.rate_bytes_per_s = 4U << 20;
  Start(Rules({upstream.text()}), limits);
  auto [client, server] = Tunnel(upstream.text(), upstream);
  const auto begin = std::chrono::steady_clock::now();
  const std::string sent(2U << 20, 'x');
  std::thread sender([&] {
    server.Send(sent);
    server.Close();
  });
  EXPECT_EQ(client.ReadToEnd().size(), sent.size());
  sender.join();
  // A tenth of a second may burst; the rest takes its time. Slower is always possible, faster is not.
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took.count(), 0.35);
}

TEST_F(ProxyTest, CloseCutsEverythingAndTotalsStay) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  auto [client, server] = Tunnel(upstream.text(), upstream);
  client.Send("12345");
  EXPECT_EQ(server.Read(5), "12345");
  Peer half = Client();
  half.Send("GET http://");
  proxy->Close();
  client.ReadToEnd(), server.ReadToEnd(), half.ReadToEnd();
  EXPECT_EQ(proxy->Totals().at({"127.0.0.1", upstream.port()}).out, 5U);
}

TEST_F(ProxyTest, AnUpstreamProxyIsAskedByName) {
  Upstream corporate;
  options.upstream = UpstreamProxy{"127.0.0.1", corporate.port(), "Basic c2VjcmV0"};
  Start(Rules({"ok.test"}));
  Peer client = Client();
  client.Send("CONNECT ok.test:22 HTTP/1.1\r\nHost: x\r\n\r\n");
  Peer server = corporate.Accept();
  EXPECT_EQ(server.ReadUntil("\r\n\r\n"),
            "CONNECT ok.test:22 HTTP/1.1\r\nHost: ok.test:22\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n");
  server.Send("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n");
  EXPECT_EQ(client.ReadUntil("SSH-2.0-x\r\n"), "HTTP/1.1 200 Connection Established\r\n\r\nSSH-2.0-x\r\n");
  Peer plain = Client();
  plain.Send("GET http://ok.test/p HTTP/1.1\r\nHost: other\r\nProxy-Authorization: mine\r\n\r\n");
  Peer second = corporate.Accept();
  const std::string head = second.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("GET http://ok.test/p HTTP/1.1\r\nHost: ok.test\r\n"));
  EXPECT_THAT(head, HasSubstr("Proxy-Authorization: Basic c2VjcmV0\r\n"));
  EXPECT_THAT(head, testing::Not(HasSubstr("mine")));
  EXPECT_THAT(resolver.asked(), IsEmpty());
}

TEST_F(ProxyTest, LimitsOfZeroAreRefused) {
  EgressLimits limits;
  limits.connections_max = 0;
  options.limits = limits;
  const auto started = Proxy::Start(Doors(), options, resolver, observer);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace writ::egress::test

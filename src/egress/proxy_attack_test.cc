#include <gmock/gmock.h>

#include <thread>

#include "egress/proxy.h"
#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ProxyAttack : public ProxyTest {
 protected:
  /// A proxy that grants `ok.test`, which leads to `upstream`.
  void GrantName(Upstream& upstream) {
    resolver.Set("ok.test", {upstream.endpoint().address});
    Start(Rules({"ok.test", upstream.text()}));
    authority = fmt::format("ok.test:{}", upstream.port());
  }
  /// Sends into a tunnel to ok.test and expects it to be cut, with nothing passed on and `rule` recorded.
  void ExpectCut(Upstream& upstream, std::string_view bytes, const std::string& rule) {
    auto [client, server] = Tunnel(authority, upstream);
    client.Send(bytes);
    EXPECT_EQ(server.ReadToEnd(), "");
    client.ReadToEnd();
    EXPECT_TRUE(client.was_reset());
    EXPECT_EQ(observer.LastLine(), "connect ok.test " + rule);
  }
  std::string authority;
};

TEST_F(ProxyAttack, Attack19_SpellingsOfOneHostAreOneHost) {
  Start(Rules({"ok.test"}));
  for (const char* spelled : {"OK.test:80", "ok.test.:80", "Ok.TeSt:80"}) {
    Ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n", spelled));
    EXPECT_EQ(observer.LastLine(), "connect ok.test allowed") << spelled;
  }
  for (const char* spelled : {"ok.test%00.evil.test:80", "ok.test@evil.test:80", "evil.test/ok.test:80", "ok.test:0",
                              "ok.test:70000", "2130706433:80", "0x7f.1:80", "[::ffff:127.0.0.1]:80", "."}) {
    EXPECT_EQ(Ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n", spelled)), "HTTP/1.1 403 Forbidden\r\n\r\n")
        << spelled;
    EXPECT_FALSE(observer.attempts().back().verdict.allowed) << spelled;
  }
}

TEST_F(ProxyAttack, Attack20_GrantedNamesDoNotLeadInside) {
  Start(Rules({"ok.test"}));
  for (const char* address :
       {"127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1", "fd00::1",
        "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "224.0.0.1", "198.18.1.0"}) {
    resolver.Set("ok.test", {Ip(address)});
    EXPECT_EQ(Ask("CONNECT ok.test:80 HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 403 Forbidden\r\n\r\n") << address;
    EXPECT_THAT(Ask("GET http://ok.test/ HTTP/1.1\r\nConnection: close\r\nHost: ok.test\r\n\r\n"), HasSubstr(" 403 "))
        << address;
    EXPECT_FALSE(observer.attempts().back().verdict.allowed) << address;
  }
}

TEST_F(ProxyAttack, Attack20_TheProxyItselfIsNotReached) {
  Start(Rules({"127.0.0.1"}));
  EXPECT_EQ(Ask(fmt::format("CONNECT 127.0.0.1:{} HTTP/1.1\r\nHost: x\r\n\r\n", http_.port)),
            "HTTP/1.1 403 Forbidden\r\n\r\n");
  EXPECT_EQ(observer.LastLine(), "connect 127.0.0.1 proxy.self");
  Redirected(transparent_).ReadToEnd();
  EXPECT_EQ(observer.WaitFor(3).back().verdict.rule, "proxy.self");
  Redirected(std::nullopt).ReadToEnd();
  EXPECT_EQ(observer.WaitFor(4).back().verdict.rule, "proxy.self");
}

TEST_F(ProxyAttack, Attack21_RebindingIsPinned) {
  Upstream good;
  GrantName(good);
  auto [client, server] = Tunnel(authority, good);
  resolver.Set("ok.test", {Ip("10.0.0.1")});
  client.Send("SSH-2.0-x\r\n");
  EXPECT_EQ(server.ReadUntil("\r\n"), "SSH-2.0-x\r\n");  // the connection stays where it was judged to go
  EXPECT_EQ(Ask(fmt::format("CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n", authority)), "HTTP/1.1 403 Forbidden\r\n\r\n");
  EXPECT_THAT(resolver.asked(), ElementsAre("ok.test", "ok.test"));  // once per connection
}

TEST_F(ProxyAttack, Attack21_OfSeveralAddressesThePrivateOneIsRefused) {
  Upstream good;
  GrantName(good);
  resolver.Set("ok.test", {Ip("10.0.0.1"), Ip("169.254.169.254"), good.endpoint().address});
  auto [client, server] = Tunnel(authority, good);
  EXPECT_EQ(observer.attempts().size(), 3U);  // granted by name; two addresses refused
  EXPECT_FALSE(observer.attempts()[1].verdict.allowed);
  EXPECT_FALSE(observer.attempts()[2].verdict.allowed);
}

TEST_F(ProxyAttack, Attack22_RefusedNamesAreNeverLookedUp) {
  Start(Rules({"ok.test", "*.good.test"}));
  for (const char* name : {"secret.evil.test", "good.test", "evilgood.test", "ok.test.evil.test"}) {
    Ask(fmt::format("CONNECT {}:443 HTTP/1.1\r\nHost: x\r\n\r\n", name));
    Ask(fmt::format("GET http://{}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", name));
  }
  Ask("CONNECT 8.8.8.8:53 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(resolver.asked(), IsEmpty());
}

TEST_F(ProxyAttack, Attack23_AmbiguousRequestsAreNotForwarded) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  const std::string url = "http://" + upstream.text() + "/";
  for (const std::string& request : {
           "POST " + url + " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST " + url + " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
           "POST " + url + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
           "GET " + url + " HTTP/1.1\nHost: x\n\n",
           "GET " + url + " HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n folded\r\n\r\n",
           "GET " + url + " HTTP/1.1\r\nHost : x\r\n\r\n",
           "GET " + url + " HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
           "GET " + url + " HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
           "GET  " + url + " HTTP/1.1\r\nHost: x\r\n\r\n",
       }) {
    const std::string answer = Ask(request);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 501 ")) << request << "\n"
                                                                                            << answer;
  }
  EXPECT_THAT(observer.Lines(), IsEmpty());
  EXPECT_THAT(proxy->Totals(), IsEmpty());  // nobody was connected to
}

TEST_F(ProxyAttack, Attack23_TheTargetNamesTheHostWhateverHostSays) {
  Upstream upstream;
  GrantName(upstream);
  Peer client = Client();
  client.Send(
      fmt::format("GET http://{}/ HTTP/1.1\r\nHost: evil.test\r\nProxy-Connection: keep-alive\r\n\r\n", authority));
  Peer server = upstream.Accept();
  EXPECT_EQ(server.ReadUntil("\r\n\r\n"), fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", authority));
}

TEST_F(ProxyAttack, Attack23_HttpInATunnelMustNameItsHost) {
  Upstream upstream;
  GrantName(upstream);
  for (const char* request : {
           "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
           "GET / HTTP/1.0\r\n\r\n",
           "get / http/1.1\r\nhost: evil.test\r\n\r\n",
           "GET http://evil.test/ HTTP/1.1\r\nHost: ok.test\r\n\r\n",
           "\r\n\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
           "GET / HTTP/1.1\nHost: ok.test\n\n",
           "GET /\tHTTP/1.1\r\nHost: evil.test\r\n\r\n",
           "CONNECT evil.test:80 HTTP/1.1\r\nHost: ok.test\r\n\r\n",
           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: ok.test\r\nHost: evil.test\r\n\r\n",
           "GET /\x01 HTTP/1.1\r\nHost: evil.test\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: ok.test@evil.test\r\n\r\n",
       }) {
    SCOPED_TRACE(request);
    ExpectCut(upstream, request, "tunnel.host");
  }
}

TEST_F(ProxyAttack, Attack23_LaterRequestsInATunnelMustNameItsHostToo) {
  Upstream upstream;
  GrantName(upstream);
  auto [client, server] = Tunnel(authority, upstream);
  client.Send("GET /a HTTP/1.1\r\nHost: OK.test\r\n\r\n");
  EXPECT_EQ(server.ReadUntil("\r\n\r\n"), "GET /a HTTP/1.1\r\nHost: OK.test\r\n\r\n");
  server.Send(kOk);
  EXPECT_THAT(client.ReadUntil("ok"), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.Send("GET /b HTTP/1.1\r\nHost: evil.test\r\n\r\n");
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_EQ(observer.LastLine(), "connect ok.test tunnel.host");
}

TEST_F(ProxyAttack, Attack23_OtherProtocolsPassWithoutDelay) {
  Upstream upstream;
  GrantName(upstream);
  for (const std::string& first :
       {std::string("SSH-2.0-client\r\n"), std::string("EHLO me\r\n"), std::string("\0\0\0\x08", 4),
        std::string("0033git-upload-pack /p.git\0host=ok.test\0", 40), std::string("{\"a\":1}")}) {
    auto [client, server] = Tunnel(authority, upstream);
    client.Send(first);
    EXPECT_EQ(server.Read(first.size()), first);
  }
  auto [client, server] = Tunnel(authority, upstream);
  server.Send("220 server speaks first\r\n");
  EXPECT_EQ(client.ReadUntil("\n"), "220 server speaks first\r\n");
  client.EndWriting();
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_THAT(observer.Lines(), testing::Each("connect ok.test allowed"));
}

TEST_F(ProxyAttack, Attack24_ARelayInsideIsJudgedTheSame) {
  Upstream upstream;
  GrantName(upstream);
  auto [client, server] = Tunnel(authority, upstream);
  client.Send("CONNECT evil.test:443 HTTP/1.1\r\nHost: ok.test\r\n\r\n");
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_EQ(Ask("CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 403 Forbidden\r\n\r\n");
}

TEST_F(ProxyAttack, Attack25_ProgramsThatKnowNoProxyAreJudgedByWhereTheyGo) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  Peer client = Redirected(upstream.endpoint());
  Peer server = upstream.Accept();
  client.Send("hello");
  EXPECT_EQ(server.Read(5), "hello");
  for (const char* address : {"8.8.8.8", "10.0.0.1", "198.18.1.0"}) {
    Peer refused = Redirected(Endpoint{Ip(address), 443});
    refused.ReadToEnd();
    EXPECT_TRUE(refused.was_reset()) << address;
  }
  EXPECT_THAT(observer.Lines(), ElementsAre("transparent 127.0.0.1 allowed", "transparent 8.8.8.8 default", testing::_,
                                            "transparent 198.18.1.0 proxy.names"));
  EXPECT_THAT(resolver.asked(), IsEmpty());
}

TEST_F(ProxyAttack, Attack39_HeadsAreBoundedInBytesFieldsAndTime) {
  EgressLimits limits;
  limits.head_timeout = Millis(300);
  Start({}, limits);
  const std::string start = "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n";
  EXPECT_THAT(Ask(start + "X: " + std::string(200'000, 'a') + "\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Ask("GET http://a.test/" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 4"));
  std::string fields;
  for (int i = 0; i < 1000; ++i) fields += "X: y\r\n";
  EXPECT_THAT(Ask(start + fields + "\r\n"), StartsWith("HTTP/1.1 431 "));
  Peer slow = Client();
  slow.Send(start);  // and never the rest
  Peer silent = Client();
  EXPECT_THAT(slow.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(silent.ReadToEnd(), "");
}

TEST_F(ProxyAttack, Attack39_AKeptConnectionMayRestBetweenRequests) {
  EgressLimits limits;
  limits.head_timeout = Millis(200);
  Start({}, limits);
  Peer kept = Client();
  const std::string request = "GET http://bad.test/ HTTP/1.1\r\nHost: a\r\n\r\n";
  kept.Send(request);
  EXPECT_THAT(kept.ReadUntil("0\r\n\r\n"), HasSubstr(" 403 "));
  EXPECT_THAT(Ask("GET "), StartsWith("HTTP/1.1 408 "));  // the deadline of heads has passed
  kept.Send(request);
  EXPECT_THAT(kept.ReadUntil("0\r\n\r\n"), HasSubstr(" 403 "));
}

TEST_F(ProxyAttack, Attack39_HeadsOfResponsesAreBoundedToo) {
  Upstream upstream;
  EgressLimits limits;
  limits.head_bytes_max = 4096;
  Start(Rules({upstream.text()}), limits);
  EXPECT_THAT(Ask("GET http://a.test/ HTTP/1.1\r\nX: " + std::string(5000, 'a')), StartsWith("HTTP/1.1 431 "));
  Peer client = Client();
  client.Send(fmt::format("GET http://{}/ HTTP/1.1\r\nHost: x\r\n\r\n", upstream.text()));
  Peer server = upstream.Accept();
  server.ReadUntil("\r\n\r\n");
  std::thread sender([&] { server.Send("HTTP/1.1 200 OK\r\nX: " + std::string(1U << 20, 'a')); });
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 502 "));
  sender.join();
}

TEST_F(ProxyAttack, Attack39_ASlowConnectionDoesNotHoldOthersUp) {
  Upstream upstream;
  Start(Rules({upstream.text()}));
  std::vector<Peer> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(Client());
    slow.back().Send("GET http://a.test/ HTTP/1.1\r\nHost:");
  }
  auto [stuck, server_of_stuck] = Tunnel(upstream.text(), upstream);
  std::thread sender([&] { server_of_stuck.Send(std::string(32U << 20, 'x')); });  // nobody reads it
  auto [client, server] = Tunnel(upstream.text(), upstream);
  client.Send("ping");
  EXPECT_EQ(server.Read(4), "ping");
  proxy->Close();
  sender.join();
}

TEST_F(ProxyAttack, Attack39_ConnectionsAreCapped) {
  EgressLimits limits;
  limits.connections_max = 4;
  Start({}, limits);
  std::vector<Peer> held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(Client());
    held.back().Send("GET http://bad.test/ HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(held.back().ReadUntil("0\r\n\r\n"), HasSubstr(" 403 "));  // accepted, and kept
  }
  EXPECT_EQ(Client().ReadToEnd(), "");
  held.front().Close();
  for (;;) {  // the place is free as soon as the proxy has seen the end
    if (proxy->ConnectionCount() < 4) break;
    std::this_thread::yield();
  }
  EXPECT_THAT(Ask("GET http://bad.test/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), HasSubstr(" 403 "));
}

}  // namespace
}  // namespace writ::egress::test

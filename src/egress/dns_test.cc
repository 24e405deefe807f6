#include <gmock/gmock.h>

#include <thread>

#include "egress/dns_stub.h"
#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

sys::UniqueFd Datagram(Endpoint& endpoint) {
  sockaddr_storage storage{};
  const socklen_t length = Ip("127.0.0.1").ToSockaddr(0, storage);
  sys::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
  endpoint = LocalEndpoint(socket.get()).value();
  return socket;
}

/// A proxy that serves DNS on UDP and TCP, and the transparent door.
class DnsDoorTest : public ProxyTest {
 protected:
  void StartDns(policy::EgressRules rules, EgressLimits limits = {}) {
    Upstream tcp, transparent;
    tcp_ = tcp.endpoint(), transparent_ = transparent.endpoint();
    Doors doors;
    doors.dns_udp4 = Datagram(udp_);
    doors.dns_tcp4 = tcp.Take();
    doors.transparent4 = transparent.Take();
    options.rules = std::move(rules);
    options.limits = limits;
    options.original_destination = [this](int) -> Result<Endpoint> { return original; };
    auto started = Proxy::Start(std::move(doors), options, resolver, observer);
    ASSERT_TRUE(started) << started.error().what;
    proxy = *std::move(started);
  }
  std::string Exchange(std::string_view message) {
    sockaddr_storage storage{};
    const socklen_t length = udp_.address.ToSockaddr(udp_.port, storage);
    sys::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
    Peer peer(std::move(socket));
    peer.Send(message);
    std::string answer(65536, '\0');
    const ssize_t got = ::recv(peer.fd(), answer.data(), answer.size(), 0);
    EXPECT_GT(got, 0);
    answer.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return answer;
  }
  net::DnsLookup Ask(const std::string& name, std::uint16_t type) {
    const auto answer = Exchange(net::BuildDnsLookup(7, name, type).value());
    auto parsed = net::ParseDnsLookup(AsBytes(answer), 7, name, type);
    EXPECT_TRUE(parsed) << name;
    return parsed.value_or(net::DnsLookup());
  }
  Endpoint udp_, tcp_, original;
};

TEST_F(DnsDoorTest, GrantedNamesGetTheAddressesThatStandForThem) {
  StartDns(Rules({"ok.test", "*.good.test:443"}));
  EXPECT_THAT(Ask("ok.test", net::kDnsA).addresses, ElementsAre(Ip("198.18.1.0")));
  EXPECT_THAT(Ask("ok.test", net::kDnsAaaa).addresses, ElementsAre(Ip("fd77:7269:7400::100")));
  EXPECT_THAT(Ask("a.good.test", net::kDnsA).addresses, ElementsAre(Ip("198.18.1.1")));
  const auto text = Ask("ok.test", 16);  // TXT
  EXPECT_EQ(text.rcode, net::DnsRcode::kNoError);
  EXPECT_THAT(text.addresses, IsEmpty());
  EXPECT_THAT(observer.Lines(), IsEmpty());
}

TEST_F(DnsDoorTest, Attack22_OtherNamesDoNotExistAreRecordedAndNeverForwarded) {
  StartDns(Rules({"ok.test"}));
  for (int i = 0; i < 3; ++i) {
    for (const char* name : {"secret-data.evil.test", "sub.ok.test", "wpad"}) {
      EXPECT_EQ(Ask(name, i == 0 ? net::kDnsA : 16).rcode, net::DnsRcode::kNxDomain) << name;
    }
  }
  EXPECT_THAT(observer.Lines(),
              ElementsAre("dns secret-data.evil.test default", "dns sub.ok.test default", "dns wpad default"));
  EXPECT_THAT(proxy->RefusedNames(),
              ElementsAre(Pair("secret-data.evil.test", 3), Pair("sub.ok.test", 3), Pair("wpad", 3)));
  EXPECT_THAT(resolver.asked(), IsEmpty());
}

TEST_F(DnsDoorTest, Attack22_RecordsOfRefusedNamesAreBounded) {
  EgressLimits limits;
  limits.names_max = 3;
  StartDns({}, limits);
  for (int i = 0; i < 50; ++i) Ask(fmt::format("n{}.evil.test", i), net::kDnsA);
  EXPECT_EQ(observer.attempts().size(), 4U);
  EXPECT_EQ(proxy->RefusedNames().at(Ledger::kOthers), 47U);
}

TEST_F(DnsDoorTest, ANameThatWasLookedUpIsReachedByItsAddress) {
  Upstream upstream;
  StartDns(Rules({"ok.test", upstream.text()}));
  resolver.Set("ok.test", {upstream.endpoint().address});
  for (const std::uint16_t type : {net::kDnsA, net::kDnsAaaa}) {
    original = {Ask("ok.test", type).addresses.at(0), upstream.port()};
    Peer client = ConnectTo(transparent_);
    Peer server = upstream.Accept();
    client.Send("GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n");
    EXPECT_EQ(server.ReadUntil("\r\n\r\n"), "GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n");
  }
  Peer fronting = ConnectTo(transparent_);
  Peer server = upstream.Accept();
  fronting.Send("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n");
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_THAT(observer.Lines(), ElementsAre("transparent ok.test allowed", "transparent ok.test allowed",
                                            "transparent ok.test allowed", "transparent ok.test tunnel.host"));
}

TEST_F(DnsDoorTest, TcpAnswersSeveralQuestionsInPieces) {
  StartDns(Rules({"ok.test"}));
  const std::string question = net::BuildDnsLookup(9, "ok.test", net::kDnsA).value();
  const std::string framed = std::string(1, '\0') + static_cast<char>(question.size()) + question;
  Peer client = ConnectTo(tcp_);
  client.Send(framed + framed.substr(0, 5));
  const auto read = [&] {
    const std::string length = client.Read(2);
    return client.Read(static_cast<std::uint8_t>(length.at(1)));
  };
  const std::string first = read();
  client.Send(framed.substr(5));
  EXPECT_EQ(read(), first);
  EXPECT_THAT(net::ParseDnsLookup(AsBytes(first), 9, "ok.test", net::kDnsA)->addresses, ElementsAre(Ip("198.18.1.0")));
  client.Send(std::string("\xff\xff", 2));  // longer than any question
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(DnsDoorTest, NonsenseIsAnsweredOrDropped) {
  StartDns(Rules({"ok.test"}));
  const std::string question = net::BuildDnsLookup(9, "ok.test", net::kDnsA).value();
  std::string answer = question;
  answer[2] = static_cast<char>(0x80);  // an answer, not a question: nothing may come back
  sockaddr_storage storage{};
  const socklen_t length = udp_.address.ToSockaddr(udp_.port, storage);
  sys::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
  for (const std::string& message : {answer, std::string("x"), question}) {
    ASSERT_EQ(::send(socket.get(), message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
  }
  std::string buffer(4096, '\0');
  const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
  buffer.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  EXPECT_TRUE(net::ParseDnsLookup(AsBytes(buffer), 9, "ok.test", net::kDnsA));  // the first answer is to the question
  EXPECT_EQ(static_cast<unsigned>(Exchange(question.substr(0, question.size() - 3))[3]) & 15U, 1U);  // FORMERR
}

}  // namespace
}  // namespace writ::egress::test

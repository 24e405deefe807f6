#include <gmock/gmock.h>

#include <thread>

#include "egress/tls_for_test.h"

namespace writ::egress::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /pkg/a HTTP/1.1\r\nHost: ok.test\r\n\r\n";

TEST_F(InterceptTest, GrantedRequestsPassAndAreRecordedOneByOne) {
  Intercept({"ok.test GET /pkg/**"}, certificate);
  TlsPeer job = Job();
  ASSERT_TRUE(job.done);
  TlsPeer server = Server(certificate);
  ASSERT_TRUE(server.done);
  for (int i = 0; i < 3; ++i) {  // on one connection
    job.Send(kGet);
    EXPECT_EQ(server.Serve("\r\n\r\n", kOk), kGet);
    EXPECT_EQ(job.Read(kOk.size()), kOk);
  }
  const auto attempts = observer.attempts();
  ASSERT_EQ(attempts.size(), 4U);  // the tunnel, and three requests
  EXPECT_EQ(attempts[3].method, "GET");
  EXPECT_EQ(attempts[3].path, "/pkg/a");
  EXPECT_TRUE(attempts[3].verdict.allowed);
  EXPECT_EQ(observer.intercepted(), std::vector<std::string>{"ok.test http/1.1"});
}

TEST_F(InterceptTest, RefusedRequestsAreToldTheRuleAndTheSmallestGrant) {
  Intercept({"ok.test GET /pkg/**"}, certificate);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("DELETE /pkg/a HTTP/1.1\r\nHost: ok.test\r\n\r\n");
  const std::string answer = job.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(answer, HasSubstr("smallest grant: --net-rule 'ok.test:" + std::to_string(upstream.port()) + " DELETE /pkg/a'"));
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_FALSE(observer.attempts().back().verdict.allowed);
  EXPECT_EQ(observer.attempts().back().method, "DELETE");
}

TEST_F(InterceptTest, TheCertificateNamesTheHostAndLeadsToTheRunsAuthority) {
  Intercept({"ok.test GET /**"}, certificate);
  TlsPeer job = Job();
  ASSERT_TRUE(job.done);  // verified strictly against certificate_pem(), by name
  EXPECT_EQ(SSL_get_verify_result(job.tls()), X509_V_OK);
  TlsPeer stranger(Tunnelled(), CertificateAuthority::Make(SystemClock().Now()).value()->certificate_pem(), "ok.test");
  EXPECT_FALSE(stranger.done);  // another run's authority is another
}

TEST_F(InterceptTest, WhatCannotBeRecordedIsNotIntercepted) {
  Intercept({"ok.test GET /**"}, certificate);
  Peer tunnel = Tunnelled();
  Peer far = upstream.Accept();
  observer.FailFromNow();
  std::thread serving([&] { EXPECT_EQ(TlsPeer(std::move(far), certificate).ReadToEnd(), ""); });
  TlsPeer job(std::move(tunnel), authority->certificate_pem(), "ok.test");
  job.Send(kGet);
  EXPECT_EQ(job.ReadToEnd(), "");
  serving.join();
  EXPECT_FALSE(proxy->Health());
}

TEST_F(InterceptTest, HostsThatNeedItNotAreLeftAlone) {
  Intercept({"ok.test GET /**", "other.test"}, certificate);
  const ServerCertificate own("DNS:other.test");
  Peer tunnel = Tunnelled("other.test");
  Peer server = upstream.Accept();
  std::thread serving([&] { EXPECT_TRUE(TlsPeer(std::move(server), own).done); });
  const Certificate& root = own.certificate;
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, root.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  const std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  EXPECT_TRUE(TlsPeer(std::move(tunnel), pem, "other.test").done);  // it sees the server's own certificate
  serving.join();
}

TEST_F(InterceptTest, AddressesAreInterceptedToo) {
  ServerCertificate by_address("IP:127.0.0.1");
  auto interception = std::make_shared<Interception>();
  interception->authority = authority;
  interception->trust_file = by_address.File();
  options.interception = interception;
  Start(Rules({upstream.text() + " GET /pkg/**"}));
  TlsPeer job = Job("127.0.0.1");
  ASSERT_TRUE(job.done);
  TlsPeer server = Server(by_address);
  job.Send(kGet);
  EXPECT_EQ(server.Serve("\r\n\r\n", kOk), kGet);
  EXPECT_EQ(job.Read(kOk.size()), kOk);
}

TEST_F(InterceptTest, RedirectedConnectionsAreInterceptedToo) {
  ServerCertificate by_address("IP:127.0.0.1");
  Intercept({}, by_address);
  proxy.reset();
  Start(Rules({upstream.text() + " GET /pkg/**"}));
  TlsPeer job(Redirected(upstream.endpoint()), authority->certificate_pem(), "127.0.0.1");
  ASSERT_TRUE(job.done);
  TlsPeer server = Server(by_address);
  job.Send("GET /secret HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(job.ReadToEnd(), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_EQ(observer.LastLine(), "transparent 127.0.0.1 default");
}

TEST_F(InterceptTest, AnIdleConnectionEndsWithItsUpstream) {
  Intercept({"ok.test GET /**"}, certificate);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send(kGet);
  server.Serve("\r\n\r\n", kOk);
  EXPECT_EQ(job.Read(kOk.size()), kOk);
  server.End();
  EXPECT_EQ(job.ReadToEnd(), "");
}

TEST_F(InterceptTest, WhatIsNoTlsIsRefusedWhereRequestsAreGranted) {
  Intercept({"ok.test GET /**"}, certificate);
  Peer job = Tunnelled();
  Peer server = upstream.Accept();
  job.Send("SSH-2.0-x\r\n");
  job.ReadToEnd();
  EXPECT_TRUE(job.was_reset());
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_EQ(observer.LastLine(), "connect ok.test tunnel.requests");
}

TEST_F(InterceptTest, BytesAreCountedOnceAsTheRequestsAreLong) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("PUT /a HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'b'));
  server.ReadUntil("\r\n\r\n");
  server.Read(1000);
  server.Send(kOk);
  job.ReadUntil("0\r\n\r\n");
  const auto totals = proxy->Totals();
  const auto found = totals.find({"ok.test", upstream.port()});
  ASSERT_NE(found, totals.end());
  EXPECT_GT(found->second.out, 1000U);
  EXPECT_LT(found->second.out, 1400U);
}

TEST_F(InterceptTest, AnUpgradedConnectionIsPassedOnBothWays) {
  Intercept({"ok.test GET /**"}, certificate);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("GET /ws HTTP/1.1\r\nHost: ok.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_THAT(server.ReadUntil("\r\n\r\n"), HasSubstr("Upgrade: websocket"));
  server.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
  EXPECT_THAT(job.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
  EXPECT_EQ(job.Read(5), "first");
  const std::string bulk(300'000, 'x');
  std::thread sending([&] { job.Send(bulk); });
  EXPECT_EQ(server.Read(bulk.size()), bulk);
  sending.join();
  job.End();
  EXPECT_EQ(server.ReadToEnd(), "");
  server.Send("last");
  EXPECT_EQ(job.Read(4), "last");
  server.End();
  EXPECT_EQ(job.ReadToEnd(), "");
}

TEST_F(InterceptTest, BulkPassesWhole) {
  Intercept({"ok.test * /**"}, certificate);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  const std::string bulk(3'000'000, 'y');
  std::thread serving([&] {
    EXPECT_EQ(server.ReadUntil("\r\n\r\n").substr(0, 8), "POST /up");
    EXPECT_EQ(server.Read(bulk.size()), bulk);
    server.Send(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bulk.size()) + bulk);
  });
  job.Send(fmt::format("POST /up HTTP/1.1\r\nHost: ok.test\r\nContent-Length: {}\r\n\r\n", bulk.size()));
  for (std::size_t at = 0; at < bulk.size(); at += 10'000) job.Send(std::string_view(bulk).substr(at, 10'000));
  EXPECT_THAT(job.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(job.Read(bulk.size()), bulk);
  serving.join();
}

TEST_F(InterceptTest, AnUpstreamThatCannotProveItselfIsRefused) {
  struct Case {
    std::string names;
    long valid_for_s;
    bool trusted;
    std::string says;
  };
  for (const Case& c : {Case{"DNS:evil.test", 3600, true, "hostname mismatch"},
                        Case{"DNS:ok.test", -3600, true, "expired"},
                        Case{"DNS:ok.test", 3600, false, "self-signed"}}) {
    ServerCertificate shown(c.names, c.valid_for_s);
    Intercept({"ok.test GET /**"}, c.trusted ? shown : certificate, true);
    TlsPeer job = Job();
    ASSERT_TRUE(job.done) << c.says;
    TlsPeer server = Server(shown);
    job.Send(fmt::format("GET / HTTP/1.1\r\nHost: ok.test\r\nAuthorization: {}\r\n\r\n", kPlaceholder));
    const std::string answer = job.ReadToEnd();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 ")) << c.says;
    EXPECT_THAT(answer, HasSubstr(c.says));
    EXPECT_EQ(server.ReadToEnd(), "");
    bool recorded = false;
    for (const auto& attempt : observer.attempts()) {
      recorded |= attempt.verdict.rule == "tls.upstream" && attempt.verdict.reason.find(c.says) != std::string::npos;
    }
    EXPECT_TRUE(recorded) << c.says;
    ExpectNothingTold();
    proxy.reset();
  }
}

TEST_F(InterceptTest, SlowHandshakesEnd) {
  EgressLimits limits;
  limits.head_timeout = Millis(300);
  Intercept({"ok.test GET /**"}, certificate, false, limits);
  TlsPeer job = Job();  // the upstream says nothing
  ASSERT_TRUE(job.done);
  Peer silent = upstream.Accept();
  job.Send(kGet);
  EXPECT_THAT(job.ReadToEnd(), HasSubstr("no TLS handshake in time"));
  EXPECT_EQ(observer.Lines()[1], "connect ok.test tls.upstream");
  Peer half = Tunnelled();  // the job stops in its handshake
  TlsPeer server = [&] {
    half.Send(std::string_view("\x16\x03\x01\x00\x05\x01\x00\x00\x01", 9));
    return Server(certificate);
  }();
  half.ReadToEnd();
  TlsPeer idle = Job();  // no request follows
  TlsPeer waiting = Server(certificate);
  EXPECT_EQ(idle.ReadToEnd(), "");
  EXPECT_EQ(waiting.ReadToEnd(), "");
}

TEST_F(InterceptTest, Attack23_TheTwoNamesMustAgreeInsideTlsToo) {
  Intercept({"ok.test GET /**"}, certificate);
  for (const std::string& request :
       {std::string("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"), std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        std::string("GET https://other.test/ HTTP/1.1\r\nHost: ok.test\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: ok.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        std::string("CONNECT other.test:443 HTTP/1.1\r\nHost: ok.test\r\n\r\n")}) {
    TlsPeer job = Job();
    TlsPeer server = Server(certificate);
    job.Send(request);
    EXPECT_EQ(server.ReadToEnd(), "") << request;
    EXPECT_EQ(job.ReadToEnd(), "") << request;
    EXPECT_EQ(observer.LastLine(), "connect ok.test tunnel.host") << request;
  }
}

TEST_F(InterceptTest, WithoutARootsFileItDoesNotStart) {
  auto interception = std::make_shared<Interception>();
  interception->authority = authority;
  interception->trust_file = "/nonexistent";
  ProxyOptions without;
  without.interception = interception;
  const auto started = Proxy::Start(Doors(), std::move(without), resolver, observer);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace writ::egress::test

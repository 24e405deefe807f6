#include "egress/edge_secrets.h"

#include <gmock/gmock.h>

#include <thread>

#include "egress/tls_for_test.h"
#include "net/http1_body.h"

namespace writ::egress::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class EdgeSecret : public InterceptTest {
 protected:
  const std::string value{kValue}, placeholder{kPlaceholder};
};

TEST_F(EdgeSecret, IsPutIntoHeaderTargetAndBody) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  const std::string body = "{\"k\":\"" + placeholder + "\",\"l\":\"" + placeholder + "\"}";
  job.Send(fmt::format("POST /a?key={0} HTTP/1.1\r\nHost: ok.test\r\nAuthorization: Bearer {0}\r\nAccept-Encoding: gzip\r\n"
                       "Range: bytes=0-1\r\nContent-Length: {1}\r\n\r\n{2}",
                       placeholder, body.size(), body));
  const std::string head = server.ReadUntil("\r\n\r\n");
  const std::string wanted = "{\"k\":\"" + value + "\",\"l\":\"" + value + "\"}";
  EXPECT_THAT(head, StartsWith("POST /a?key=s3cr3t%2Bvalue%2F%FF42 HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Authorization: Bearer " + value + "\r\n"));
  EXPECT_THAT(head, HasSubstr(fmt::format("Content-Length: {}\r\n", wanted.size())));
  EXPECT_THAT(head, HasSubstr("Accept-Encoding: identity\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Range")));
  EXPECT_EQ(server.Read(wanted.size()), wanted);
  server.Send(kOk);
  EXPECT_THAT(job.ReadUntil("0\r\n\r\n"), HasSubstr("2\r\nok\r\n"));
  EXPECT_EQ(observer.attempts().back().path, "/a");
  ExpectNothingTold();
}

TEST_F(EdgeSecret, IsFoundAcrossChunkBorders) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("PUT /a HTTP/1.1\r\nHost: ok.test\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string body = "\xfe\xff writ-secret" + placeholder + "writ-secret-TOKEN-" + placeholder + "\x80";
  for (const char c : body) job.Send(fmt::format("1\r\n{}\r\n", c));
  job.Send("0\r\n\r\n");
  const std::string request = server.ReadUntil("\r\n0\r\n\r\n");
  std::string_view rest = std::string_view(request).substr(request.find("\r\n\r\n") + 4);
  net::ChunkedReader reader;
  std::string content;
  for (;;) {
    const auto step = reader.Next(rest);
    ASSERT_TRUE(step);
    rest.remove_prefix(step->consumed_bytes);
    content += step->data;
    if (step->kind != net::ChunkedStep::Kind::kData) break;
  }
  EXPECT_EQ(content, "\xfe\xff writ-secret" + value + "writ-secret-TOKEN-" + value + "\x80");
}

TEST_F(EdgeSecret, LongBodiesOfKnownLengthGoInChunks) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  const std::string body = std::string(100'000, 'a') + placeholder;
  job.Send(fmt::format("PUT /a HTTP/1.1\r\nHost: ok.test\r\nContent-Length: {}\r\n\r\n", body.size()));
  std::thread sending([&] { job.Send(body); });
  const std::string request = server.ReadUntil("\r\n0\r\n\r\n");
  sending.join();
  EXPECT_THAT(request, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(request, HasSubstr(value));
  EXPECT_THAT(request, Not(HasSubstr(placeholder)));
}

TEST_F(EdgeSecret, AClientThatWaitsForTheGoAheadGetsIt) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("PUT /a HTTP/1.1\r\nHost: ok.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(job.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 100 "));
  job.Send("hi");
  EXPECT_THAT(server.ReadUntil("\r\n\r\n"), HasSubstr("Content-Length: 2\r\n"));
  EXPECT_EQ(server.Read(2), "hi");
}

TEST_F(EdgeSecret, Attack26_AnEchoIsHiddenInEveryFraming) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  const std::string text = "you sent " + value + " and " + Base64Encode(AsBytes(value)) + ".";
  const std::string head = "HTTP/1.1 200 OK\r\nX-Echo: <" + value + ">\r\nLocation: /?k=s3cr3t%2Bvalue%2F%FF42\r\n";
  const std::string known = head + fmt::format("Content-Length: {}\r\n\r\n", text.size()) + text;
  std::string pieces = head + "Transfer-Encoding: chunked\r\n\r\n";
  for (const char c : text) pieces += fmt::format("1\r\n{}\r\n", c);
  pieces += "0\r\nX-Trailer: " + value + "\r\n\r\n";
  for (const std::string* each : {&known, static_cast<const std::string*>(&pieces)}) {
    const std::string& answer = *each;
    job.Send("GET / HTTP/1.1\r\nHost: ok.test\r\nX-Key: " + placeholder + "\r\n\r\n");
    EXPECT_THAT(server.Serve("\r\n\r\n", answer), HasSubstr(value));
    const bool trailer = &answer == &pieces;
    const std::string got = job.ReadUntil(trailer ? "X-Trailer: " + placeholder + "\r\n\r\n" : "\r\n0\r\n\r\n");
    EXPECT_THAT(got, HasSubstr("X-Echo: <" + placeholder + ">\r\n"));
    EXPECT_THAT(got, Not(HasSubstr("s3cr3t")));
    EXPECT_THAT(got, Not(HasSubstr(Base64Encode(AsBytes(value)))));
  }
  job.Send("GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n");
  server.Serve("\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nend: " + value);
  server.End();
  const std::string got = job.ReadToEnd();
  EXPECT_THAT(got, HasSubstr("end: " + placeholder));
  EXPECT_THAT(got, Not(HasSubstr("s3cr3t")));
}

TEST_F(EdgeSecret, Attack26_AnEncodedAnswerIsNotPassedOn) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("GET / HTTP/1.1\r\nHost: ok.test\r\nX-Key: " + placeholder + "\r\n\r\n");
  server.Serve("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx");
  EXPECT_THAT(job.ReadToEnd(), StartsWith("HTTP/1.1 502 "));
}

TEST_F(EdgeSecret, Attack26_NoOtherHostGetsIt) {
  ServerCertificate other("DNS:other.test");
  Intercept({"ok.test", "other.test * /**"}, other, true);
  const std::string request = "POST /x HTTP/1.1\r\nHost: other.test\r\n";
  for (const std::string& rest :
       {"X-Key: " + placeholder + "\r\n\r\n", fmt::format("Content-Length: {}\r\n\r\n", placeholder.size()) + placeholder}) {
    TlsPeer job = Job("other.test");
    TlsPeer server = Server(other);
    ASSERT_TRUE(server.done);
    job.Send(request + rest);
    const std::string answer = job.ReadToEnd();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
    EXPECT_THAT(answer, HasSubstr("secret TOKEN is for ok.test only"));
    EXPECT_THAT(server.ReadToEnd(), Not(HasSubstr("s3cr3t")));
    EXPECT_EQ(observer.LastLine(), "connect other.test secret.host");
    EXPECT_EQ(observer.attempts().back().path, "/x");
  }
  ExpectNothingTold();
}

TEST_F(EdgeSecret, Attack26_NeverOverCleartext) {
  Intercept({"ok.test"}, certificate, true);
  const std::string at = fmt::format("http://ok.test:{}/?k={}", upstream.port(), placeholder);
  const std::string answer = Ask("GET " + at + " HTTP/1.1\r\nHost: ok.test\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(answer, HasSubstr("inside TLS only"));
  EXPECT_EQ(observer.LastLine(), "http ok.test secret.cleartext");
  Peer job = Tunnelled();
  Peer server = upstream.Accept();
  job.Send("GET /?k=" + placeholder + " HTTP/1.1\r\nHost: ok.test\r\n\r\n");
  EXPECT_THAT(job.ReadToEnd(), HasSubstr("inside TLS only"));
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_EQ(observer.LastLine(), "connect ok.test secret.cleartext");
}

TEST_F(EdgeSecret, Attack26_WhatWasStoredInsideTlsIsHiddenWithoutItToo) {
  Intercept({"ok.test"}, certificate, true);
  Peer job = Client();
  job.Send(fmt::format("GET http://ok.test:{}/notes/1 HTTP/1.1\r\nHost: ok.test\r\n\r\n", upstream.port()));
  Peer server = upstream.Accept();
  server.ReadUntil("\r\n\r\n");
  server.Send(fmt::format("HTTP/1.1 200 OK\r\nConnection: close\r\nX-Note: {}\r\nContent-Length: {}\r\n\r\n{}", value, value.size(), value));
  const std::string got = job.ReadUntil("\r\n0\r\n\r\n");
  EXPECT_THAT(got, HasSubstr("X-Note: " + placeholder + "\r\n"));
  EXPECT_THAT(got, Not(HasSubstr("s3cr3t")));
}

TEST_F(EdgeSecret, Attack26_AValueWithALineEndIsNotSent) {
  auto interception = std::make_shared<Interception>();
  interception->authority = authority;
  interception->trust_file = certificate.File();
  interception->secrets.push_back({"T", crypto::SecretBytes::CopyOf(AsBytes("line\r\nX-Evil: 1")), "OK.test.", placeholder});
  options.interception = interception;
  Start(Rules({"ok.test", upstream.text()}));
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("GET / HTTP/1.1\r\nHost: ok.test\r\nX-Key: " + placeholder + "\r\n\r\n");
  EXPECT_THAT(job.ReadToEnd(), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(server.ReadToEnd(), "");
}

TEST_F(EdgeSecret, IsPutIntoBasicCredentials) {  // curl -u user:$TOKEN
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  for (const std::string& plain : {"user:" + placeholder, placeholder + ":", std::string("user:pass")}) {
    job.Send("GET / HTTP/1.1\r\nHost: ok.test\r\nAuthorization: basic " + Base64Encode(AsBytes(plain)) + "\r\n\r\n");
    std::string wanted = plain;
    if (const auto at = wanted.find(placeholder); at != std::string::npos) wanted.replace(at, placeholder.size(), value);
    const std::string request = server.Serve("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    EXPECT_THAT(request, HasSubstr("asic " + Base64Encode(AsBytes(wanted)) + "\r\n"));
    job.ReadUntil("\r\n\r\n");
  }
  job.Send("GET / HTTP/1.1\r\nHost: ok.test\r\nAuthorization: Basic not base64!\r\n\r\n");
  EXPECT_THAT(server.ReadUntil("\r\n\r\n"), HasSubstr("Basic not base64!\r\n"));
}

TEST_F(EdgeSecret, Attack26_BasicCredentialsGoToNoOtherHost) {
  ServerCertificate other("DNS:other.test");
  Intercept({"ok.test", "other.test * /**"}, other, true);
  TlsPeer job = Job("other.test");
  TlsPeer server = Server(other);
  job.Send("GET / HTTP/1.1\r\nHost: other.test\r\nAuthorization: Basic " +
           Base64Encode(AsBytes("user:" + placeholder)) + "\r\n\r\n");
  EXPECT_THAT(job.ReadToEnd(), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(server.ReadToEnd(), "");
  EXPECT_EQ(observer.LastLine(), "connect other.test secret.host");
}

TEST_F(EdgeSecret, AFieldOfItsNameIsTheSecretsAlone) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("GET / HTTP/1.1\r\nHost: ok.test\r\ntoken: my own\r\nTOKEN: " + placeholder + "\r\nX-Token: kept\r\n\r\n");
  const std::string request = server.ReadUntil("\r\n\r\n");
  EXPECT_THAT(request, Not(HasSubstr("my own")));
  EXPECT_THAT(request, HasSubstr("TOKEN: " + value + "\r\n"));
  EXPECT_THAT(request, HasSubstr("X-Token: kept\r\n"));
}

TEST_F(EdgeSecret, IsPutIntoTrailers) {
  Intercept({"ok.test"}, certificate, true);
  TlsPeer job = Job();
  TlsPeer server = Server(certificate);
  job.Send("PUT / HTTP/1.1\r\nHost: ok.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: " + placeholder +
           "\r\n\r\n");
  EXPECT_THAT(server.ReadUntil("X-Sum: " + value + "\r\n\r\n"), HasSubstr("1\r\na\r\n0\r\n"));
}

}  // namespace
}  // namespace writ::egress::test

#include <gmock/gmock.h>

#include "egress/http2_for_test.h"

namespace writ::egress::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Http2Secret : public Http2Test {
 protected:
  const std::string value{kValue}, placeholder{kPlaceholder};
};

TEST_F(Http2Test, Attack23_AnotherAuthorityIsRefusedOnItsStream) {
  Intercept({"ok.test GET /**", "other.test"}, certificate);
  Connect();
  const auto other = job->Get("/a", {}, "other.test");
  const auto two = job->Get("/b", {{"host", "other.test"}});
  const auto good = job->Get("/c", {{"host", "ok.test"}});
  Serve();
  EXPECT_EQ(job->Whole(good).body, "ok");
  EXPECT_EQ(job->Whole(other).fields[":status"], "421");
  EXPECT_TRUE(job->Whole(two).fields[":status"] == "400" || job->streams[two].code == NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(server->heads.size(), 1U);
  EXPECT_EQ(observer.Lines()[1], "connect ok.test tunnel.host");
}

TEST_F(Http2Test, Attack39_WhatHttp1RefusesIsRefusedHereToo) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  const H2Fields head = {{":method", "GET"}, {":scheme", "https"}, {":authority", "ok.test"}};
  const auto with = [&](H2Fields more) {
    H2Fields fields = head;
    fields.insert(fields.end(), more.begin(), more.end());
    return job->Request(fields);
  };
  std::vector<std::int32_t> bad = {
      with({{":path", "/a b"}}), with({{":path", "/a\xff"}}), with({{":path", "/a"}, {"transfer-encoding", "chunked"}}),
      with({{":path", "/a"}, {"connection", "x"}}), with({{":path", "/a"}, {"x", "a\r\nb: c"}}),
      with({{":path", "https://other.test/"}}),
      job->Request({{":method", "CONNECT"}, {":authority", "other.test:443"}}),
      job->Request({{":method", "GET"}, {":scheme", "http"}, {":authority", "ok.test"}, {":path", "/"}})};
  const auto good = job->Get("/good");
  Serve();
  EXPECT_EQ(job->Whole(good).body, "ok");
  for (const auto id : bad) {
    const auto& stream = job->Whole(id);
    const auto status = stream.fields.find(":status");
    if (status == stream.fields.end()) {
      EXPECT_EQ(stream.code, NGHTTP2_PROTOCOL_ERROR) << id;
    } else {
      EXPECT_TRUE(status->second == "400" || status->second == "421") << id << " " << status->second;
    }
  }
  EXPECT_EQ(server->heads.size(), 1U);
}

TEST_F(Http2Test, Attack39_AHeaderListThatIsTooLongIsRefused) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  H2Fields many;
  for (int i = 0; i < 101; ++i) many.push_back({"x-" + std::to_string(i), "v"});
  EXPECT_EQ(job->Whole(job->Get("/many", many)).fields[":status"], "431");
  const auto good = job->Get("/good");
  Serve();
  EXPECT_EQ(job->Whole(good).body, "ok");
  const H2Fields large = {{"x-large", std::string(40'000, 'a')}, {"x-more", std::string(40'000, 'b')}};
  EXPECT_EQ(job->Whole(job->Get("/large", large)).fields[":status"], "431");
  EXPECT_EQ(server->heads.size(), 1U);
}

TEST_F(Http2Test, Attack39_RapidResetEndsTheConnection) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  for (int i = 0; i < 1500 && !job->over; ++i) {
    const auto id = job->Get("/a");
    nghttp2_submit_rst_stream(job->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  }
  job->Wait([&] { return job->went_away.has_value(); });
  EXPECT_TRUE(job->went_away == NGHTTP2_ENHANCE_YOUR_CALM || job->over);
  EXPECT_LT(observer.attempts().size(), 1000U);
}

/// Frames that are sent as they are.
class Http2Frames : public Http2Test {
 protected:
  static std::string Frame(char type, char flags, std::uint32_t stream, std::string_view payload) {
    std::string frame;
    for (const unsigned shift : {16U, 8U, 0U}) frame += static_cast<char>(payload.size() >> shift);
    frame += type;
    frame += flags;
    for (const unsigned shift : {24U, 16U, 8U, 0U}) frame += static_cast<char>(stream >> shift);
    return frame + std::string(payload);
  }
  void Begin(EgressLimits limits = {}) {
    Intercept({"ok.test * /**"}, certificate, false, limits);
    auto [near, far] = Handshakes(certificate, kH2, kBothProtocols);
    ASSERT_TRUE(near->done && far->done);
    raw = std::move(near);
    server = std::make_unique<H2Peer>(std::move(far), H2Peer::Role::kServer);
    raw->Send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + Frame(4, 0, 0, ""));
  }
  /// Sends the same until the connection ends, which it must.
  void ExpectEndAfter(const std::string& frames, int times) {
    for (int i = 0; i < times; ++i) raw->Send(frames);
    const std::string told = raw->ReadToEnd();
    EXPECT_LT(told.size(), 64U << 10);
  }
  std::unique_ptr<TlsPeer> raw;
  /// GET https://ok.test/ in HPACK.
  const std::string get = std::string("\x82\x87\x84\x41\x07", 5) + "ok.test";
};

TEST_F(Http2Frames, Attack39_ContinuationsEnd) {
  Begin();
  raw->Send(Frame(1, 1, 1, get));
  ExpectEndAfter(Frame(9, 0, 1, std::string("\x00\x01" "a" "\x01" "b", 5)), 2000);
  EXPECT_EQ(server->NextRequest(), 0);
}

TEST_F(Http2Frames, Attack39_EmptyContinuationsEnd) {
  Begin();
  raw->Send(Frame(1, 1, 1, get));
  ExpectEndAfter(Frame(9, 0, 1, ""), 2000);
}

TEST_F(Http2Frames, Attack39_PingsEnd) {
  Begin();
  ExpectEndAfter(Frame(6, 0, 0, "12345678"), 5000);
}

TEST_F(Http2Frames, Attack39_SettingsEnd) {
  Begin();
  ExpectEndAfter(Frame(4, 0, 0, ""), 5000);
}

TEST_F(Http2Frames, Attack39_EmptyDataEnds) {
  Begin();
  raw->Send(Frame(1, 4, 1, std::string("\x83\x87\x84\x41\x07", 5) + "ok.test"));
  ExpectEndAfter(Frame(0, 0, 1, ""), 5000);
}

TEST_F(Http2Frames, Attack39_StreamsBeyondTheLimitAreRefused) {
  Begin();
  std::string frames;
  for (std::uint32_t stream = 1; stream < 2 * 200; stream += 2) frames += Frame(1, 5, stream, get);
  raw->Send(frames);
  EXPECT_TRUE(server->Wait([&] { return server->heads.size() >= 100; }));
  EXPECT_LE(observer.attempts().size(), 1 + 128U);
}

TEST_F(Http2Frames, Attack39_HalfAHeadEnds) {
  EgressLimits limits;
  limits.head_timeout = Millis(300);
  Begin(limits);
  raw->Send(Frame(1, 1, 1, get));
  raw->ReadToEnd();
  EXPECT_EQ(server->NextRequest(), 0);
}

TEST_F(Http2Frames, Attack39_ASilentJobEnds) {
  EgressLimits limits;
  limits.head_timeout = Millis(300);
  Intercept({"ok.test * /**"}, certificate, false, limits);
  auto [near, far] = Handshakes(certificate, kH2, kBothProtocols);
  near->Send("PRI * HTTP/2.0\r\n");
  near->ReadToEnd();
}

TEST_F(Http2Secret, IsPutIntoFieldsTargetAndBody) {
  Intercept({"ok.test"}, certificate, true);
  Connect();
  const std::string body = "{\"k\":\"" + placeholder + "\"}";
  const auto id = job->Post("/a?key=" + placeholder, "",
                            {{"authorization", "Bearer " + placeholder},
                             {"accept-encoding", "gzip"},
                             {"range", "bytes=0-1"},
                             {"content-length", std::to_string(body.size())}},
                            true);
  const auto there = server->NextRequest();
  for (const char c : body) job->SendMore(id, std::string(1, c), true);
  job->SendMore(id, "", false);
  EXPECT_EQ(server->Whole(there).body, "{\"k\":\"" + value + "\"}");
  auto& fields = server->streams[there].fields;
  EXPECT_EQ(fields[":path"], "/a?key=s3cr3t%2Bvalue%2F%FF42");
  EXPECT_EQ(fields["authorization"], "Bearer " + value);
  EXPECT_EQ(fields["accept-encoding"], "identity");
  EXPECT_FALSE(fields.contains("range"));
  EXPECT_FALSE(fields.contains("content-length"));
  EXPECT_EQ(observer.attempts().back().path, "/a");
  ExpectNothingTold();
}

TEST_F(Http2Secret, Attack26_EchoesAreHiddenInFieldsBodyAndTrailers) {
  Intercept({"ok.test"}, certificate, true);
  Connect();
  const auto id = job->Get("/a", {{"x-key", placeholder}});
  const auto there = server->NextRequest();
  const std::string length = std::to_string(("you sent " + value + ".").size());
  server->Respond(there, {{":status", "200"}, {"x-echo", "<" + value + ">"}, {"content-length", length}}, "", true,
                  {{"x-trailer", value}});
  for (const char c : "you sent " + value + ".") server->SendMore(there, std::string(1, c), true);
  server->SendMore(there, "", false);
  auto& answer = job->Whole(id);
  EXPECT_EQ(answer.body, "you sent " + placeholder + ".");
  EXPECT_EQ(answer.fields["x-echo"], "<" + placeholder + ">");
  EXPECT_EQ(answer.trailers["x-trailer"], placeholder);
  EXPECT_FALSE(answer.fields.contains("content-length"));
}

TEST_F(Http2Secret, Attack26_AnEncodedAnswerIsNotPassedOn) {
  Intercept({"ok.test"}, certificate, true);
  Connect();
  const auto id = job->Get("/a", {{"x-key", placeholder}});
  server->Respond(server->NextRequest(), {{":status", "200"}, {"content-encoding", "gzip"}}, "xx");
  EXPECT_EQ(job->Whole(id).fields[":status"], "502");
}

TEST_F(Http2Secret, Attack26_NoOtherHostGetsIt) {
  ServerCertificate other("DNS:other.test");
  Intercept({"ok.test", "other.test * /**"}, other, true);
  Connect(other, "other.test");
  const H2Fields head = {{":method", "POST"}, {":scheme", "https"}, {":authority", "other.test"}, {":path", "/x"}};
  H2Fields with = head;
  with.push_back({"x-key", placeholder});
  const auto field = job->Request(with), body = job->Request(head, "text " + placeholder),
             trailer = job->Request(head, "text", false, {{"x-key", placeholder}});
  for (const auto id : {field, body, trailer}) {
    auto& answer = job->Whole(id);
    EXPECT_EQ(answer.fields[":status"], "403") << id;
    EXPECT_THAT(answer.body, HasSubstr("secret TOKEN is for ok.test only")) << id;
  }
  EXPECT_EQ(observer.LastLine(), "connect other.test secret.host");
  job->tls->End();
  server->Wait([] { return false; });
  for (const auto& [id, stream] : server->streams) EXPECT_FALSE(stream.ended) << id;
  ExpectNothingTold();
}

TEST_F(Http2Secret, Attack26_AValueWithALineEndIsNotSent) {
  auto interception = std::make_shared<Interception>();
  interception->authority = authority;
  interception->trust_file = certificate.File();
  interception->secrets.push_back({"T", crypto::SecretBytes::CopyOf(AsBytes("line\r\nx-evil: 1")), "ok.test", placeholder});
  options.interception = interception;
  Start(Rules({"ok.test", upstream.text()}));
  Connect();
  EXPECT_EQ(job->Whole(job->Get("/a", {{"x-key", placeholder}})).fields[":status"], "400");
}

}  // namespace
}  // namespace writ::egress::test

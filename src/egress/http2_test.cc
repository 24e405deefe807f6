#include <gmock/gmock.h>

#include <thread>

#include "egress/http2_for_test.h"

namespace writ::egress::test {
namespace {

using testing::HasSubstr;

TEST_F(Http2Test, IsSpokenWhereBothSidesSpeakIt) {
  Intercept({"ok.test GET /**"}, certificate);
  struct Case {
    const char* server;
    std::string_view job;
    const char* both;
  };
  for (const Case& c : {Case{kH2, kBothProtocols, "h2"}, Case{kH2, "\x02h2", "h2"}, Case{kH2, "\x08http/1.1", ""},
                        Case{"\x08http/1.1", kBothProtocols, "http/1.1"}, Case{nullptr, kBothProtocols, ""}}) {
    const auto [near, far] = Handshakes(certificate, c.server, c.job);
    EXPECT_TRUE(near->done && far->done);
    EXPECT_EQ(far->protocol(), c.both);
    EXPECT_EQ(near->protocol(), std::string_view(c.both) == "h2" ? "h2" : "http/1.1");
  }
  const auto [near, far] = Handshakes(certificate, nullptr, "\x02h2");  // it would not understand the upstream
  EXPECT_FALSE(near->done);
}

TEST_F(Http2Test, EachStreamIsJudgedByItself) {
  Intercept({"ok.test GET /pkg/**"}, certificate);
  Connect();
  const auto first = job->Get("/pkg/a?q=1"), refused = job->Get("/other"), second = job->Get("/pkg/b");
  EXPECT_EQ(server->streams[Serve("one")].fields[":path"], "/pkg/a?q=1");
  EXPECT_EQ(server->streams[Serve("two")].fields[":path"], "/pkg/b");
  EXPECT_EQ(job->Whole(first).body, "one");
  EXPECT_EQ(job->Whole(second).body, "two");
  EXPECT_EQ(job->Whole(refused).fields[":status"], "403");
  EXPECT_THAT(job->streams[refused].body,
              HasSubstr("smallest grant: --net-rule 'ok.test:" + std::to_string(upstream.port()) + " GET /other'"));
  const auto attempts = observer.attempts();
  ASSERT_EQ(attempts.size(), 4U);  // the tunnel, and three requests
  EXPECT_EQ(observer.intercepted(), std::vector<std::string>{"ok.test h2"});
  EXPECT_EQ(attempts[1].path, "/pkg/a");
  EXPECT_FALSE(attempts[2].verdict.allowed);
  EXPECT_EQ(attempts[2].path, "/other");
  EXPECT_EQ(attempts[3].method, "GET");
}

TEST_F(Http2Test, FieldsPassAndTheServerMayNotPush) {
  Intercept({"ok.test"}, certificate, true);
  Connect();
  const auto id = job->Post("/a", "body", {{"te", "trailers"}, {"content-type", "application/grpc"}, {"x-a", "1"}});
  const auto there = server->NextRequest();
  EXPECT_EQ(server->Whole(there).body, "body");
  EXPECT_EQ(server->streams[there].fields["te"], "trailers");
  EXPECT_EQ(server->streams[there].fields["x-a"], "1");
  EXPECT_EQ(server->streams[there].fields[":authority"], "ok.test");
  EXPECT_EQ(nghttp2_session_get_remote_settings(server->session, NGHTTP2_SETTINGS_ENABLE_PUSH), 0U);
  server->Interim(there, {{":status", "103"}, {"link", "</x>"}});
  server->Respond(there, {{":status", "200"}, {"x-b", "2"}}, "answer");
  EXPECT_EQ(job->Whole(id).body, "answer");
  EXPECT_EQ(job->streams[id].fields["x-b"], "2");
  EXPECT_EQ(job->streams[id].interim, std::vector<std::string>{"103"});
  EXPECT_EQ(nghttp2_session_get_remote_settings(job->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), 128U);
}

TEST_F(Http2Test, TrailersAndStreamsOfMessagesPassBothWays) {
  Intercept({"ok.test POST /**"}, certificate);
  Connect();
  const auto id = job->Post("/writ.Test/Talk", "1", {{"te", "trailers"}}, true, {{"x-sum", "7"}});
  const auto there = server->NextRequest();
  server->Respond(there, {{":status", "200"}}, "a", true, {{"grpc-status", "0"}});
  for (const std::string word : {"2", "3", "4"}) {
    const std::size_t had = server->streams[there].body.size();
    EXPECT_TRUE(job->Wait([&] { return job->streams[id].body.size() > had - (had > 0 ? 1 : 0); }));
    job->SendMore(id, word, word != "4");
    EXPECT_TRUE(server->Wait([&] { return server->streams[there].body.ends_with(word); }));
    server->SendMore(there, "b", true);
  }
  EXPECT_EQ(server->Whole(there).trailers["x-sum"], "7");
  server->SendMore(there, "c", false);
  EXPECT_EQ(job->Whole(id).body, "abbbc");
  EXPECT_EQ(job->streams[id].trailers["grpc-status"], "0");
  EXPECT_EQ(server->streams[there].body, "1234");
}

TEST_F(Http2Test, BulkPassesWholeOnManyStreams) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  const std::string bulk(1'500'000, 'y');
  std::thread serving([&] {
    for (int i = 0; i < 4; ++i) server->NextRequest();
    for (const auto there : server->heads) {
      EXPECT_EQ(server->Whole(there).body.size(), bulk.size());
      server->Respond(there, {{":status", "200"}}, bulk);
    }
    server->Wait([&] {  // keeps sending as windows open
      return std::ranges::all_of(server->streams, [](const auto& entry) { return entry.second.code.has_value(); });
    });
  });
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(job->Post("/up", bulk));
  for (const auto id : ids) EXPECT_EQ(job->Whole(id).body.size(), bulk.size());
  serving.join();
}

TEST_F(Http2Test, AStreamThatNobodyReadsStopsNoOther) {
  Intercept({"ok.test * /**"}, certificate);
  auto [near, far] = Handshakes(certificate, kH2, kBothProtocols);
  job = std::make_unique<H2Peer>(std::move(near), H2Peer::Role::kClient);
  server = std::make_unique<H2Peer>(std::move(far), H2Peer::Role::kServer, 0);  // takes no body
  const auto stalled = job->Post("/stalled", std::string(1'000'000, 'x'));
  EXPECT_NE(server->NextRequest(), 0);
  for (int i = 0; i < 20; ++i) {
    const auto id = job->Get("/quick");
    Serve();
    EXPECT_EQ(job->Whole(id).body, "ok");
  }
  // What may wait on one stream, and what the upstream got before its settings were read.
  EXPECT_LE(job->streams[stalled].sent, 2 * (64U << 10));
}

TEST_F(Http2Test, ResetsPassBothWays) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  const auto cancelled = job->Post("/a", "1", {}, true);
  const auto there = server->NextRequest();
  job->Reset(cancelled, NGHTTP2_CANCEL);
  EXPECT_EQ(server->Whole(there).code, NGHTTP2_CANCEL);
  const auto refused = job->Get("/b");
  server->Reset(server->NextRequest(), NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(job->Whole(refused).code, NGHTTP2_REFUSED_STREAM);
  const auto half = job->Get("/c");
  const auto third = server->NextRequest();
  server->Respond(third, {{":status", "200"}}, "part", true);
  EXPECT_TRUE(job->Wait([&] { return job->streams[half].body == "part"; }));
  server->Reset(third, NGHTTP2_INTERNAL_ERROR);
  EXPECT_EQ(job->Whole(half).code, NGHTTP2_INTERNAL_ERROR);
}

TEST_F(Http2Test, AnAnswerBeforeTheEndOfTheRequestPasses) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  const auto id = job->Post("/a", "1", {}, true);
  const auto there = server->NextRequest();
  server->Respond(there, {{":status", "413"}}, "no");
  server->Reset(there, NGHTTP2_NO_ERROR);
  EXPECT_TRUE(job->Wait([&] { return job->streams[id].code.has_value(); }));
  EXPECT_EQ(job->streams[id].code, NGHTTP2_NO_ERROR);
  EXPECT_EQ(job->streams[id].body, "no");
  const auto next = job->Get("/b");
  Serve();
  EXPECT_EQ(job->Whole(next).body, "ok");
}

TEST_F(Http2Test, AnUpstreamThatEndsEndsWhatItHad) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  const auto id = job->Get("/a");
  EXPECT_NE(server->NextRequest(), 0);
  server->tls->End();
  EXPECT_EQ(job->Whole(id).fields[":status"], "502");
  EXPECT_TRUE(job->Wait([&] { return job->over; }));
  EXPECT_EQ(job->went_away, NGHTTP2_NO_ERROR);
}

TEST_F(Http2Test, AnUpstreamThatTakesNoMoreFinishesWhatItHas) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  const auto id = job->Get("/a");
  const auto there = server->NextRequest();
  server->GoAway();
  EXPECT_TRUE(job->Wait([&] { return job->went_away.has_value(); }));
  server->Respond(there, {{":status", "200"}}, "last");
  EXPECT_EQ(job->Whole(id).body, "last");
  EXPECT_TRUE(job->Wait([&] { return job->over; }));
}

TEST_F(Http2Test, AJobThatSpeaksNothingElseIsToldWhyThereIsNoUpstream) {
  ServerCertificate evil("DNS:evil.test");
  Intercept({"ok.test GET /**"}, evil);
  auto [near, far] = Handshakes(evil, kH2, "\x02h2");
  ASSERT_TRUE(near->done);
  H2Peer only(std::move(near), H2Peer::Role::kClient);
  const auto id = only.Get("/a");
  EXPECT_EQ(only.Whole(id).fields[":status"], "502");
  EXPECT_THAT(only.streams[id].body, HasSubstr("hostname mismatch"));
  EXPECT_EQ(observer.Lines()[1], "connect ok.test tls.upstream");
}

TEST_F(Http2Test, ChangedRulesCutWhatTheyNoLongerGrant) {
  Intercept({"ok.test * /**"}, certificate);
  Connect();
  job->Get("/a");
  EXPECT_NE(server->NextRequest(), 0);
  ASSERT_TRUE(proxy->ChangeRules(Rules({"other.test"})));
  EXPECT_FALSE(job->Wait([] { return false; }));
  EXPECT_FALSE(server->Wait([] { return false; }));
}

TEST_F(Http2Test, TheBudgetEndsIt) {
  EgressLimits limits;
  limits.bytes_max = 100'000;
  Intercept({"ok.test * /**"}, certificate, false, limits);
  Connect();
  std::thread serving([&] { server->Wait([] { return false; }); });
  job->Post("/a", std::string(200'000, 'x'));
  job->Wait([] { return false; });
  serving.join();
  EXPECT_GE(observer.WaitForBudget(), 100'000U);
}

}  // namespace
}  // namespace writ::egress::test

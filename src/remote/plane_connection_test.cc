#include "remote/plane_connection.h"

#include <gtest/gtest.h>

#include <atomic>

#include "crypto/digest.h"
#include "net/http_server_for_test.h"

namespace writ::remote {
namespace {

using canon::Json;
using net::ScriptedServer;
using net::ServerPeer;

std::unique_ptr<PlaneConnection> ConnectionTo(const ScriptedServer& server, std::string bearer = "tok") {
  auto plane = PlaneConnection::Open(server.url(), std::move(bearer));
  EXPECT_TRUE(plane) << plane.error().what;
  return *std::move(plane);
}

std::string Refusal(int status, std::string_view body) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

TEST(PlaneConnection, GetAndPost) {
  std::vector<std::string> requests;
  ScriptedServer server([&](ServerPeer& peer) {
    for (std::string request; !(request = peer.ReadRequest()).empty();) {
      requests.push_back(request);
      peer.Answer(R"({"ok":true})");
    }
  });
  {
    const auto plane = ConnectionTo(server);
    const auto got = plane->Get("/v1/health");
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(*got, Json::Of({{"ok", true}}));
    EXPECT_TRUE(plane->Post("/v1/runs", Json::Of({{"a", 1}}), PlaneConnection::kTimeout, {{"Idempotency-Key", "k1"}}));
    EXPECT_EQ(plane->last_answer().status, 200U);
  }
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_NE(requests[0].find("Authorization: Bearer tok\r\n"), std::string::npos);
  EXPECT_NE(requests[1].find("Idempotency-Key: k1\r\n"), std::string::npos);
  EXPECT_TRUE(requests[1].ends_with("\r\n\r\n{\"a\":1}")) << requests[1];
}

TEST(PlaneConnection, RefusalsAreErrorsWithThePlanesText) {
  struct Case {
    int status;
    std::string body;
    Code code;
    std::string text;
  };
  const Case cases[] = {
      {400, R"({"error":"invalid enroll token"})", Code::kInvalid, "invalid enroll token"},
      {401, R"({"error":"unauthorized"})", Code::kDenied, "unauthorized"},
      {403, R"({"error":"policy denied: R","code":"policy_denied","reasons":["R"]})", Code::kDenied, "policy denied: R"},
      {404, R"({"error":"run not found"})", Code::kNotFound, "run not found"},
      {409, R"({"error":"taken"})", Code::kInvalid, "taken"},
      {413, R"({"error":"body too large"})", Code::kExhausted, "body too large"},
      {429, R"({"error":"rate limit exceeded"})", Code::kExhausted, "rate limit exceeded"},
      {503, R"({"error":"the store cannot keep this"})", Code::kUnavailable, "the store cannot keep this"},
      {500, "<html>", Code::kUnavailable, "the plane answered 500"},
      {302, "", Code::kCorrupt, "the plane answered 302"},
      {400, R"({"error":{"a":1}})", Code::kInvalid, "the plane answered 400"},
      {400, "{\"error\":\"\\u001b[31mred\"}", Code::kInvalid, "\\u{1b}[31mred"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.status);
    ScriptedServer server([&](ServerPeer& peer) {
      if (!peer.ReadRequest().empty()) peer.Write(Refusal(c.status, c.body));
    });
    const auto plane = ConnectionTo(server);
    const auto answer = plane->Get("/v1/x");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, c.code);
    EXPECT_EQ(answer.error().what, c.text);
    EXPECT_EQ(plane->last_answer().status, static_cast<unsigned>(c.status));
    EXPECT_EQ(plane->last_answer().body, c.body);
    EXPECT_EQ(server.connections(), 1) << "an answer is never asked for twice";
  }
}

TEST(PlaneConnection, ALongErrorTextIsCut) {
  std::string body = "{\"error\":\"";
  for (int i = 0; i < 5000; ++i) body += "\xc3\xa9";
  body += "\"}";
  ScriptedServer server([&](ServerPeer& peer) {
    peer.ReadRequest();
    peer.Write(Refusal(400, body));
  });
  const auto answer = ConnectionTo(server)->Get("/v1/x");
  ASSERT_FALSE(answer);
  EXPECT_LE(answer.error().what.size(), PlaneConnection::kErrorTextMax);
  EXPECT_GT(answer.error().what.size(), PlaneConnection::kErrorTextMax - 4);
}

TEST(PlaneConnection, HostileJson) {
  std::string deep(100000, '[');
  for (const std::string& body : {std::string("{"), deep, std::string("\xff\xfe"), std::string()}) {
    ScriptedServer server([&](ServerPeer& peer) {
      peer.ReadRequest();
      peer.Answer(body);
    });
    const auto answer = ConnectionTo(server)->Get("/v1/x");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kCorrupt) << answer.error().what;
  }
}

TEST(PlaneConnection, ReadsAndUploadsAreTriedThreeTimesPostsOnce) {
  std::atomic<int> requests{0};
  ScriptedServer server([&](ServerPeer& peer) {
    if (peer.ReadRequest().empty()) return;
    if (++requests == 3) peer.Answer(fmt::format(R"({{"hash":"{}"}})", crypto::Sha256Hex(std::string_view("x"))));
  });
  EXPECT_TRUE(ConnectionTo(server)->Get("/v1/x"));
  EXPECT_EQ(requests, 3);
  requests = 0;
  EXPECT_TRUE(ConnectionTo(server)->PutBlob(AsBytes("x"), "claim"));
  EXPECT_EQ(requests, 3);
  requests = 0;
  EXPECT_FALSE(ConnectionTo(server)->Post("/v1/x", Json::MakeObject()));
  EXPECT_EQ(requests, 1);
  requests = 10;
  EXPECT_FALSE(ConnectionTo(server)->Get("/v1/x"));
  EXPECT_EQ(requests, 13);
}

TEST(PlaneConnection, BlobsAreHashedOnTheWay) {
  const std::string content = "the content", hash = crypto::Sha256Hex(std::string_view(content));
  ScriptedServer server([&](ServerPeer& peer) {
    for (std::string request; !(request = peer.ReadRequest()).empty();) {
      EXPECT_EQ(request.find("Authorization"), std::string::npos) << "the hash is the permission";
      peer.Answer(request.starts_with("GET /v1/blobs/" + hash) ? content : "something else");
    }
  });
  const auto plane = ConnectionTo(server);
  const auto got = plane->GetBlob(hash, 100);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, content);
  EXPECT_EQ(plane->GetBlob(std::string(64, '0'), 100).error().code, Code::kCorrupt);
  EXPECT_EQ(plane->GetBlob(hash, 5).error().code, Code::kExhausted);
  EXPECT_EQ(plane->GetBlob("../../etc/passwd", 5).error().code, Code::kInvalid);
}

TEST(PlaneConnection, AWrongHashAfterAnUploadIsNoticed) {
  ScriptedServer server([](ServerPeer& peer) {
    peer.ReadRequest();
    peer.Answer(fmt::format(R"({{"hash":"{}"}})", std::string(64, 'a')));
  });
  EXPECT_EQ(ConnectionTo(server)->PutBlob(AsBytes("x")).error().code, Code::kCorrupt);
}

TEST(PlaneConnection, PathParts) { EXPECT_EQ(PathPart("run_1/../\xc3\xa9?a b"), "run_1%2F..%2F%C3%A9%3Fa%20b"); }

}  // namespace
}  // namespace writ::remote

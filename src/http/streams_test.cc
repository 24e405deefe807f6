// Blobs, server-sent events and WebSocket.
#include <gtest/gtest.h>

#include <thread>

#include "base/bytes.h"
#include "http/server_for_test.h"
#include "net/http_client.h"

namespace writ::http {
namespace {

const std::string kAuthorized = "Authorization: Bearer good\r\n";

TEST(HttpBlobs, GoInAndOutInPieces) {
  TestServer server;
  std::string content(5 << 20, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 1000);
  const std::string hash = crypto::Sha256Hex(std::string_view(content));
  RawClient client(server.port());
  std::thread writer([&] { client.Write(Post("/v1/blobs", content, kAuthorized)); });
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "{\"hash\":\"" + hash + "\"}");
  writer.join();
  client.Write(Get("/v1/blobs/" + hash));
  EXPECT_TRUE(BodyOf(client.ReadAnswer()) == content);
  client.Write("POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\n" + kAuthorized + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "{\"hash\":\"" + crypto::Sha256Hex(std::string_view("abc")) + "\"}");
  client.Write(Post("/v1/blobs", "", kAuthorized));
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "{\"hash\":\"" + crypto::Sha256Hex(std::string_view("")) + "\"}");
  client.Write(Get("/v1/blobs/" + crypto::Sha256Hex(std::string_view(""))));
  EXPECT_EQ(StatusOf(client.ReadAnswer()), 200);
  client.Write("HEAD /v1/blobs/" + hash + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_NE(client.ReadUntil("\r\n\r\n").find("Content-Length: " + std::to_string(content.size())), std::string::npos);
  client.Write(Get("/v1/blobs/" + std::string(64, '0')));
  const std::string missing = client.ReadAnswer();
  EXPECT_EQ(StatusOf(missing), 404);
  EXPECT_EQ(BodyOf(missing), R"({"error":"blob not found"})");
  client.Write(Get("/v1/blobs/..%2f..%2fetc"));
  EXPECT_TRUE(BodyOf(client.ReadAnswer()).starts_with("GET /v1/blobs/..%2f")) << "left to the dispatch table";
  EXPECT_EQ(server.server->counters().connections_taken, 1U);
}

TEST(HttpBlobs, UploadsNeedPermissionAndKeepTheLimit) {
  TestServer server({.limits = {.body_bytes_max = 1000}});
  {
    RawClient client(server.port());
    client.Write(Post("/v1/blobs", "abc"));
    EXPECT_EQ(StatusOf(client.ReadToEnd()), 401);
  }
  {
    RawClient client(server.port());
    client.Write("POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n");
    EXPECT_EQ(StatusOf(client.ReadToEnd()), 401) << "not asked to send it at all";
  }
  {
    RawClient client(server.port());
    client.Write("POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\n" + kAuthorized + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                 std::string(1001, 'x') + "\r\n0\r\n\r\n");
    EXPECT_EQ(StatusOf(client.ReadToEnd()), 413);
  }
  EXPECT_FALSE(*server.service.blobs().Has(crypto::Sha256Hex(std::string(1001, 'x'))));
}

TEST(HttpFollow, ServerSentEvents) {
  TestServer server({.limits = {.ping = Millis(20)}});
  RawClient client(server.port());
  client.Write(Get("/v1/runs/run_1/events/stream?from=3", kAuthorized));
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_EQ(StatusOf(head), 200);
  EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), std::string::npos);
  const auto sink = server.service.WaitForSink();
  sink->Event("3", "event", "{\"a\":\"b\nc\"}");
  EXPECT_NE(client.ReadUntil("\n\n").find("id: 3\nevent: event\ndata: {\"a\":\"b\ndata: c\"}\n\n"), std::string::npos);
  EXPECT_NE(client.ReadUntil(": here\n\n"), "");
  sink->End("completed");
  EXPECT_NE(client.ReadToEnd().find("event: end\ndata: completed\n\n\r\n0\r\n\r\n"), std::string::npos);
  EXPECT_GT(sink->Backlog(), 1U << 30) << "who is gone takes nothing";
}

TEST(HttpFollow, OurClientReadsThem) {
  TestServer server;
  const auto client = *net::HttpClient::Create(*net::ParseBaseUrl(server.url()));
  std::thread feeder([&] {
    const auto sink = server.service.WaitForSink();
    for (int i = 0; i < 1000; ++i) sink->Event(std::to_string(i), "event", std::string(100, 'x'));
    sink->End("completed");
  });
  int seen = 0;
  std::string last;
  const auto answer = client->Follow({.method = "GET", .target = "/v1/runs/r/events/stream", .fields = {{"Authorization", "Bearer good"}}, .body = {}},
                                     [&](const net::ServerEvent& event) -> Result<bool> {
                                       seen += event.name == "event";
                                       last = event.name + event.data;
                                       return true;
                                     }, Deadline::After(Millis(20000)));
  feeder.join();
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(seen, 1000);
  EXPECT_EQ(last, "endcompleted");
}

TEST(HttpFollow, RefusalsAreOrdinaryAnswers) {
  TestServer server;
  RawClient client(server.port());
  client.Write(Get("/v1/runs/r/events/stream"));
  EXPECT_EQ(StatusOf(client.ReadAnswer()), 401);
  client.Write(Get("/v1/runs/r/events/stream", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
  EXPECT_EQ(StatusOf(client.ReadAnswer()), 401);
  EXPECT_EQ(server.server->counters().followers, 0U);
  client.Write(Get("/healthz"));
  EXPECT_EQ(StatusOf(client.ReadAnswer()), 200);
}

TEST(HttpFollow, ASlowReaderIsDroppedAndMemoryStaysBounded) {
  TestServer server({.limits = {.follower_backlog_max = 100000, .write_pause = Millis(100)}});
  RawClient client(server.port(), 4096);
  client.Write(Get("/v1/runs/r/events/stream", kAuthorized));
  const auto sink = server.service.WaitForSink();
  std::size_t most = 0;
  for (int i = 0; i < 1000000 && sink->Backlog() < (1U << 30); ++i) {
    sink->Event("", "event", std::string(1000, 'x'));
    if (sink->Backlog() < (1U << 30)) most = std::max(most, sink->Backlog());
  }
  EXPECT_LE(most, 100000U);
  EXPECT_GT(sink->Backlog(), 1U << 30);
  client.ReadToEnd();
}

TEST(HttpFollow, AClientThatGoesIsNoticed) {
  TestServer server;
  {
    RawClient client(server.port());
    client.Write(Get("/v1/runs/r/events/stream", kAuthorized));
    client.ReadUntil("\r\n\r\n");
  }
  const auto sink = server.service.WaitForSink();
  while (server.server->counters().followers > 0) std::this_thread::yield();
  EXPECT_GT(sink->Backlog(), 1U << 30);
}

TEST(HttpFollow, StreamsAreCountedAndEndWithTheServer) {
  TestServer server({.limits = {.followers_max = 1}});
  RawClient first(server.port()), second(server.port());
  first.Write(Get("/v1/runs/r/events/stream", kAuthorized));
  first.ReadUntil("\r\n\r\n");
  second.Write(Get("/v1/runs/r/events/stream", kAuthorized));
  EXPECT_EQ(StatusOf(second.ReadAnswer()), 503);
  server.server->Stop(Deadline::After(Millis(20000)));
  EXPECT_NE(first.ReadToEnd().find("event: end\ndata: the server stops\n\n"), std::string::npos);
}

const std::string kUpgrade =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A masked frame of a client.
std::string Frame(unsigned char opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80 | opcode));
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    frame.push_back(static_cast<char>(0x80 | 127));
    for (int shift = 56; shift >= 0; shift -= 8) frame.push_back(static_cast<char>((static_cast<std::uint64_t>(payload.size()) >> shift) & 0xff));
  }
  return frame + std::string(4, '\0') + std::string(payload);
}

TEST(HttpWebSocket, CarriesEventsAndCloses) {
  TestServer server;
  RawClient client(server.port());
  client.Write(Get("/v1/runs/r/events/stream", kAuthorized + kUpgrade));
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_EQ(StatusOf(head), 101);
  EXPECT_NE(head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos) << head;  // RFC 6455 section 1.3
  const auto sink = server.service.WaitForSink();
  sink->Event("4", "event", "{\"x\":1}");
  EXPECT_NE(client.ReadUntil("}\"}").find(R"({"id":"4","event":"event","data":"{\"x\":1}"})"), std::string::npos);
  client.Write(Frame(9, "hello"));  // ping
  EXPECT_EQ(client.ReadUntil("hello"), std::string("\x8a\x05hello"));
  sink->End("completed");
  EXPECT_NE(client.ReadUntil("completed").find("\x88"), std::string::npos);
  client.Write(Frame(8, ""));
  EXPECT_TRUE(client.Closed());
}

TEST(HttpWebSocket, AFloodOrAHugeMessageEndsIt) {
  TestServer server({.limits = {.frame_bytes_max = 1000}});
  for (const bool huge : {false, true}) {
    RawClient client(server.port());
    client.Write(Get("/v1/runs/r/events/stream", kAuthorized + kUpgrade));
    client.ReadUntil("\r\n\r\n");
    const auto sink = server.service.WaitForSink();
    if (huge) client.Write(Frame(1, std::string(1001, 'x')));
    for (int i = 0; i < 100000 && client.Write(Frame(1, "flood flood flood")); ++i) {
    }
    client.ReadToEnd();
    while (sink->Backlog() < (1U << 30)) std::this_thread::yield();
  }
}

TEST(HttpWebSocket, UnmaskedFramesAndBrokenUpgradesAreRefused) {
  TestServer server;
  {
    RawClient client(server.port());
    client.Write(Get("/v1/runs/r/events/stream", kAuthorized + kUpgrade));
    client.ReadUntil("\r\n\r\n");
    client.Write("\x81\x02hi");
    client.ReadToEnd();
  }
  RawClient client(server.port());
  client.Write(Get("/v1/runs/r/events/stream", kAuthorized + "Upgrade: websocket\r\n"));
  EXPECT_EQ(StatusOf(client.ReadToEnd()), 400);
  RawClient other(server.port());
  other.Write(Get("/v1/runs/r/events/stream", kAuthorized + kUpgrade + "Origin: https://evil.example\r\n"));
  EXPECT_EQ(StatusOf(other.ReadToEnd()), 403);
}

TEST(HttpWebSocket, AClientThatAnswersNoPingIsClosed) {
  TestServer server({.limits = {.ping = Millis(50)}});
  RawClient client(server.port());
  client.Write(Get("/v1/runs/r/events/stream", kAuthorized + kUpgrade));
  client.ReadUntil("\r\n\r\n");
  const auto sink = server.service.WaitForSink();
  while (sink->Backlog() < (1U << 30)) std::this_thread::yield();
}

}  // namespace
}  // namespace writ::http

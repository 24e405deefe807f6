// What hostile and slow clients get: refusals, bounds and deadlines.
#include <gtest/gtest.h>

#include <thread>

#include "http/server_for_test.h"

namespace writ::http {
namespace {

TEST(HttpLimits, SmugglingAndMalformedMessagesAreRefused) {
  struct Case {
    const char* why;
    std::string message;
    int status;
  };
  const std::string host = "Host: localhost\r\n";
  const Case cases[] = {
      {"length and chunks", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n", 400},
      {"two equal lengths", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"a list of lengths", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\nabc", 400},
      {"a signed length", "POST /x HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc", 400},
      {"a hexadecimal length", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 0x3\r\n\r\nabc", 400},
      {"a huge length", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {"two codings", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
      {"an unknown coding", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n", 501},
      {"gzip, chunked", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"chunked in HTTP/1.0", "POST /x HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"white space before the colon", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"folding", "POST /x HTTP/1.1\r\n" + host + "X: a\r\n Transfer-Encoding: chunked\r\n\r\n", 400},
      {"bare LF", "GET /x HTTP/1.1\nHost: localhost\n\n", 400},
      {"bare LF in a field", "GET /x HTTP/1.1\r\n" + host + "X: a\nY: b\r\n\r\n", 400},
      {"bare CR", "GET /x HTTP/1.1\r\n" + host + "X: a\rY: b\r\n\r\n", 400},
      {"NUL", std::string("GET /x HTTP/1.1\r\nHost: local\0host\r\n\r\n", 38), 400},
      {"no host", "GET /x HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET /x HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"another host", "GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
      {"an absolute target", "GET http://evil.example/x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"two spaces", "GET  /x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"HTTP/0.9", "GET /x\r\n\r\n", 400},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"an empty first line", "\r\nGET /x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"a bad chunk size", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
      {"a chunk with LF", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400},
      {"a chunk longer than said", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400},
      {"framing in trailers", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", 400},
      {"a long target", "GET /" + std::string(20000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {"a giant head", "GET /x HTTP/1.1\r\n" + host + "X: " + std::string(70000, 'a') + "\r\n\r\n", 431},
      {"many fields", [&] {
         std::string text = "GET /x HTTP/1.1\r\n" + host;
         for (int i = 0; i < 200; ++i) text += "X: a\r\n";
         return text + "\r\n";
       }(), 431},
      {"many parameters", [&] {
         std::string text = "GET /x?";
         for (int i = 0; i < 200; ++i) text += "a&";
         return text + " HTTP/1.1\r\n" + host + "\r\n";
       }(), 400},
      {"a token in the URL", "GET /x?token=abc HTTP/1.1\r\n" + host + "\r\n", 400},
      {"another site's page", "POST /x HTTP/1.1\r\n" + host + "Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n", 403},
  };
  TestServer server;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    RawClient client(server.port());
    client.Write(c.message + Get("/smuggled"));
    const std::string answer = client.ReadToEnd();
    EXPECT_EQ(StatusOf(answer), c.status) << answer;
    EXPECT_EQ(answer.find("\nContent-Length: "), answer.rfind("\nContent-Length: ")) << "one answer, then closed: " << answer;
    EXPECT_TRUE(BodyOf(answer).starts_with("{\"error\":\"")) << answer;
  }
  EXPECT_EQ(server.service.calls, 0);
  RawClient client(server.port());
  client.Write(Get("/x"));
  EXPECT_EQ(StatusOf(client.ReadAnswer()), 200);
}

TEST(HttpLimits, SlowHeadsAreCutOffIdleConnectionsAreNot) {
  TestServer server({.limits = {.head = Millis(100)}});
  RawClient idle(server.port()), silent(server.port()), slow(server.port());
  idle.Write(Get("/healthz"));
  idle.ReadAnswer();
  EXPECT_TRUE(silent.Closed());
  for (int i = 0; i < 1000 && slow.Write("G"); ++i) {  // one byte at a time does not help
    pollfd item{slow.fd(), POLLIN, 0};
    if (::poll(&item, 1, 20) == 1) break;
  }
  EXPECT_TRUE(slow.Closed());
  idle.Write(Get("/healthz"));
  EXPECT_EQ(StatusOf(idle.ReadAnswer()), 200) << "waiting between requests has no deadline";
  EXPECT_EQ(server.server->counters().deadlines_passed, 2U);
}

TEST(HttpLimits, ABodyThatStopsIsCutOff) {
  TestServer server({.limits = {.body_pause = Millis(100)}});
  RawClient body(server.port()), blob(server.port());
  body.Write("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  blob.Write("POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(body.Closed());
  EXPECT_TRUE(blob.Closed());
  EXPECT_EQ(server.service.calls, 0);
}

TEST(HttpLimits, ABodyThatDripsIsCutOff) {
  TestServer server({.limits = {.body_total = Millis(200)}});
  RawClient client(server.port());
  client.Write("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
  bool open = true;
  for (int i = 0; i < 1000 && open; ++i) {
    open = client.Write("a");
    pollfd item{client.fd(), POLLIN, 0};
    if (::poll(&item, 1, 10) == 1) open = false;
  }
  EXPECT_FALSE(open);
  EXPECT_EQ(server.server->counters().deadlines_passed, 1U);
}

TEST(HttpLimits, AReaderThatTakesNothingIsCutOff) {
  TestServer server({.limits = {.write_pause = Millis(100)}});
  server.service.on_call = [](api::PlaneCall, Service::Reply reply) { reply({.body = std::string(32 << 20, 'x')}); };
  RawClient client(server.port(), 4096);
  client.Write(Get("/big"));
  while (server.server->counters().deadlines_passed == 0) std::this_thread::yield();
  EXPECT_LT(client.ReadToEnd().size(), 32U << 20);
}

TEST(HttpLimits, TheOldestIdleConnectionGivesWay) {
  TestServer server({.limits = {.connections_max = 3}});
  RawClient first(server.port());
  first.Write(Get("/healthz"));
  first.ReadAnswer();
  RawClient second(server.port()), third(server.port());
  for (RawClient* client : {&second, &third}) {
    client->Write(Get("/healthz"));
    client->ReadAnswer();
  }
  RawClient fourth(server.port());
  fourth.Write(Get("/healthz"));
  EXPECT_EQ(StatusOf(fourth.ReadAnswer()), 200);
  EXPECT_TRUE(first.Closed());
  second.Write(Get("/healthz"));
  EXPECT_EQ(StatusOf(second.ReadAnswer()), 200);
}

TEST(HttpLimits, IdleConnectionsAreCountedApart) {
  TestServer server({.limits = {.idle_max = 1}});
  RawClient first(server.port()), second(server.port());
  first.Write(Get("/healthz"));
  first.ReadAnswer();
  second.Write(Get("/healthz"));
  second.ReadAnswer();
  EXPECT_TRUE(first.Closed());
}

TEST(HttpLimits, OneAddressHasItsShare) {
  TestServer server({.limits = {.address_connections_max = 2}});
  RawClient first(server.port()), second(server.port());
  for (RawClient* client : {&first, &second}) {
    client->Write(Get("/healthz"));
    client->ReadAnswer();
  }
  RawClient third(server.port());
  EXPECT_TRUE(third.Closed());
  EXPECT_EQ(server.server->counters().connections_refused, 1U);
}

TEST(HttpLimits, BusyConnectionsAreNotGivenUpForNewOnes) {
  TestServer server({.limits = {.connections_max = 1}});
  RawClient busy(server.port());
  busy.Write("GET /x HTTP/1.1\r\nHost: lo");
  while (server.server->counters().connections_open < 1) std::this_thread::yield();
  RawClient other(server.port());
  EXPECT_TRUE(other.Closed());
  busy.Write("calhost\r\n\r\n");
  EXPECT_EQ(StatusOf(busy.ReadAnswer()), 200);
}

}  // namespace
}  // namespace writ::http

#include "http/server.h"

#include <gtest/gtest.h>

#include <thread>

#include "http/server_for_test.h"
#include "net/http_client.h"
#include "net/http_server_for_test.h"

namespace writ::http {
namespace {

Deadline Soon() { return Deadline::After(Millis(20000)); }

std::unique_ptr<net::HttpClient> ClientFor(const std::string& url, const std::string& ca = "", const net::TestIdentity* own = nullptr) {
  net::HttpClientOptions options;
  options.ca_file = ca;
  if (own != nullptr) options.client_cert_file = own->cert_file(), options.client_key_file = own->key_file();
  auto client = net::HttpClient::Create(*net::ParseBaseUrl(url), std::move(options));
  EXPECT_TRUE(client) << client.error().what;
  return *std::move(client);
}

TEST(HttpServer, PassesCallsOnAndKeepsTheConnection) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Write(Post("/v1/runs?a=b%20c", "{}", "Authorization: Bearer x\r\n")));
    const std::string answer = client.ReadAnswer();
    EXPECT_EQ(StatusOf(answer), 200);
    EXPECT_EQ(BodyOf(answer), "POST /v1/runs a=b c [{}] Bearer x 127.0.0.1");
    EXPECT_NE(answer.find("Cache-Control: no-store\r\n"), std::string::npos);
    EXPECT_NE(answer.find(" GMT\r\n"), std::string::npos);
  }
  EXPECT_EQ(server.server->counters().connections_taken, 1U);
  ASSERT_TRUE(client.Write(Get("/v1/x", "Connection: close\r\n")));
  EXPECT_NE(client.ReadToEnd().find("Connection: close\r\n"), std::string::npos);
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  RawClient client(server.port());
  client.Write(Get("/1") + Post("/2", "two") + Get("/3"));
  EXPECT_TRUE(BodyOf(client.ReadAnswer()).starts_with("GET /1"));
  EXPECT_TRUE(BodyOf(client.ReadAnswer()).starts_with("POST /2 [two]"));
  EXPECT_TRUE(BodyOf(client.ReadAnswer()).starts_with("GET /3"));
}

TEST(HttpServer, OwnRoutes) {
  TestServer server;
  RawClient client(server.port());
  client.Write(Get("/"));
  const std::string moved = client.ReadAnswer();
  EXPECT_EQ(StatusOf(moved), 302);
  EXPECT_NE(moved.find("Location: /ui/\r\n"), std::string::npos);
  for (const char* path : {"/ui", "/ui/", "/ui/index.html"}) {
    client.Write(Get(path));
    const std::string page = client.ReadAnswer();
    EXPECT_EQ(StatusOf(page), 200);
    EXPECT_NE(page.find("Content-Security-Policy: default-src 'none'"), std::string::npos);
  }
  client.Write(Get("/healthz"));
  EXPECT_EQ(BodyOf(client.ReadAnswer()), R"({"ok":true})");
  client.Write(Get("/readyz"));
  EXPECT_TRUE(BodyOf(client.ReadAnswer()).starts_with("GET /v1/ready"));
  client.Write(Get("/metrics"));
  const std::string metrics = client.ReadAnswer();
  EXPECT_NE(metrics.find("text/plain; version=0.0.4"), std::string::npos);
  EXPECT_NE(metrics.find("behind 7\n# HELP writ_http_"), std::string::npos);
  client.Write("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(StatusOf(client.ReadUntil("\r\n\r\n")), 200);
  client.Write(Get("/healthz"));  // in step: HEAD had no body
  EXPECT_EQ(BodyOf(client.ReadAnswer()), R"({"ok":true})");
}

TEST(HttpServer, ChunkedBodiesAndContinue) {
  TestServer server;
  RawClient client(server.port());
  client.Write("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Write("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(BodyOf(client.ReadAnswer()).starts_with("POST /x [abcde]"));
}

TEST(HttpServer, BodyLimit) {
  TestServer server({.limits = {.body_bytes_max = 1000}});
  {
    RawClient client(server.port());
    client.Write("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n");
    const std::string answer = client.ReadToEnd();
    EXPECT_EQ(StatusOf(answer), 413);
    EXPECT_EQ(BodyOf(answer), R"({"error":"body too large"})");
  }
  {
    RawClient client(server.port());
    client.Write("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n");
    EXPECT_EQ(StatusOf(client.ReadToEnd()), 413);
  }
  {
    RawClient client(server.port());
    client.Write(Post("/x", std::string(1000, 'x')));
    EXPECT_EQ(StatusOf(client.ReadAnswer()), 200);
  }
  EXPECT_EQ(server.service.calls, 1);
}

TEST(HttpServer, BodiesInMemoryTogetherAreBounded) {
  TestServer server({.limits = {.bodies_bytes_max = 1500}});
  RawClient first(server.port()), second(server.port());
  first.Write("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n" + std::string(1000, 'x'));
  while (server.server->counters().connections_open < 2) std::this_thread::yield();
  std::string answer;
  do {  // until the first one's bytes have arrived
    RawClient probe(server.port());
    probe.Write(Post("/x", std::string(600, 'y')));
    answer = probe.ReadAnswer();
  } while (StatusOf(answer) == 200);
  EXPECT_EQ(StatusOf(answer), 503);
  first.Write(std::string(100, 'x'));
}

TEST(HttpServer, ACallThatWaitsLearnsThatItsClientHasGone) {
  TestServer server;
  std::optional<Service::Reply> held;
  std::shared_ptr<const std::atomic<bool>> gone;
  std::mutex mutex;
  std::condition_variable arrived;
  server.service.on_call = [&](api::PlaneCall call, Service::Reply reply) {
    const std::lock_guard lock(mutex);
    held = std::move(reply);
    gone = call.gone;
    arrived.notify_all();
  };
  {
    RawClient client(server.port());
    client.Write(Get("/v1/slow"));
    std::unique_lock lock(mutex);
    ASSERT_TRUE(arrived.wait_for(lock, std::chrono::seconds(20), [&] { return held.has_value(); }));
    EXPECT_FALSE(gone->load());
    ::shutdown(client.fd(), SHUT_WR);
    while (!gone->load()) std::this_thread::yield();
    (*held)({.body = "all the same"});
    EXPECT_EQ(BodyOf(client.ReadToEnd()), "all the same") << "it may still listen";
  }
}

TEST(HttpServer, StopAnswersWhatWasAskedAndClosesTheRest) {
  TestServer server;
  std::optional<Service::Reply> held;
  std::mutex mutex;
  std::condition_variable arrived;
  server.service.on_call = [&](api::PlaneCall, Service::Reply reply) {
    const std::lock_guard lock(mutex);
    held = std::move(reply);
    arrived.notify_all();
  };
  RawClient idle(server.port()), busy(server.port());
  idle.Write(Get("/healthz"));
  idle.ReadAnswer();
  busy.Write(Get("/v1/slow"));
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(arrived.wait_for(lock, std::chrono::seconds(20), [&] { return held.has_value(); }));
  }
  std::thread stopper([&] { server.server->Stop(Soon()); });
  EXPECT_TRUE(idle.Closed());
  (*held)({.body = "late"});
  const std::string answer = busy.ReadToEnd();
  EXPECT_EQ(BodyOf(answer), "late");
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  stopper.join();
}

TEST(HttpServer, StopEndsAtItsDeadlineAndLateRepliesHurtNobody) {
  std::optional<Service::Reply> held;
  {
    TestServer server;
    std::mutex mutex;
    std::condition_variable arrived;
    server.service.on_call = [&](api::PlaneCall, Service::Reply reply) {
      const std::lock_guard lock(mutex);
      held = std::move(reply);
      arrived.notify_all();
    };
    RawClient busy(server.port());
    busy.Write(Get("/v1/slow"));
    {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(arrived.wait_for(lock, std::chrono::seconds(20), [&] { return held.has_value(); }));
    }
    server.server->Stop(Deadline::After(Millis(10)));
    EXPECT_TRUE(busy.Closed());
  }
  (*held)({.body = "nobody is there"});
}

TEST(HttpServer, LogsEachRequestOnceWithoutSecrets) {
  TestServer server;
  server.service.on_call = [](api::PlaneCall, Service::Reply reply) { reply({.status = 403, .body = "no", .caller = "ci", .cause = "role"}); };
  RawClient client(server.port());
  client.Write(Post("/v1/runs?since=tuesday", "{\"secret\":1}", "Authorization: Bearer hunter2\r\n"));
  client.ReadAnswer();
  client.Write(Get("/healthz"));
  client.ReadAnswer();
  const auto records = server.records();
  ASSERT_GE(records.size(), 1U);
  const std::string line = JsonLine(records[0]);
  EXPECT_NE(line.find("\"status\":403"), line.npos) << line;
  EXPECT_NE(line.find("\"caller\":\"ci\""), line.npos) << line;
  EXPECT_NE(line.find("since=..."), line.npos) << line;
  for (const char* hidden : {"hunter2", "tuesday", "secret"}) EXPECT_EQ(line.find(hidden), line.npos) << line;
}

TEST(HttpServer, ForwardedForCountsOnlyWhenTrusted) {
  for (const bool trusted : {false, true}) {
    TestServer server({.trust_forwarded_for = trusted});
    RawClient client(server.port());
    client.Write(Get("/x", "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n"));
    EXPECT_TRUE(BodyOf(client.ReadAnswer()).ends_with(trusted ? "203.0.113.7" : "127.0.0.1"));
    // A proxy that adds a field of its own leaves the client's where it was.
    client.Write(Get("/x", "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.7\r\n"));
    EXPECT_TRUE(BodyOf(client.ReadAnswer()).ends_with(trusted ? "203.0.113.7" : "127.0.0.1"));
    client.Write(Get("/x", "X-Forwarded-For: <script>\r\n"));
    EXPECT_TRUE(BodyOf(client.ReadAnswer()).ends_with("127.0.0.1"));
  }
}

TEST(HttpServer, AddressesThatCannotBeHad) {
  FakeService service;
  EXPECT_EQ(Server::Start({.host = "example.org", .port = 0}, service).error().code, Code::kInvalid);
  EXPECT_EQ(Server::Start({.host = "192.0.2.1", .port = 0}, service).error().code, Code::kUnavailable);
  TestServer taken;
  EXPECT_EQ(Server::Start({.port = taken.port()}, service).error().code, Code::kUnavailable);
}

TEST(HttpServerTls, ServesAndReloads) {
  const net::TestIdentity ca("ca"), own("localhost", &ca), next("127.0.0.1", &ca);
  TestServer server({.tls = TlsFiles{own.cert_file(), own.key_file(), ""}});
  const auto client = ClientFor(server.url("https", "localhost"), ca.cert_file());
  const auto answer = client->Send({.method = "GET", .target = "/x", .fields = {}, .body = {}}, Soon());
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(client->Send({.method = "GET", .target = "/x", .fields = {}, .body = {}}, Soon())->status, 200U);
  EXPECT_EQ(server.server->counters().connections_taken, 1U);
  {
    RawClient plain(server.port());  // no TLS: closed, nothing served
    plain.Write(Get("/healthz"));
    EXPECT_EQ(plain.ReadToEnd().find("HTTP/1.1 200"), std::string::npos);
  }
  std::filesystem::copy_file(next.cert_file(), own.cert_file(), std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(server.server->ReloadTls()) << "certificate and key do not belong together";
  std::filesystem::copy_file(next.key_file(), own.key_file(), std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(server.server->ReloadTls());
  EXPECT_TRUE(ClientFor(server.url("https"), ca.cert_file())->Send({.method = "GET", .target = "/x", .fields = {}, .body = {}}, Soon()));
  EXPECT_EQ(ClientFor(server.url("https", "localhost"), ca.cert_file())
                ->Send({.method = "GET", .target = "/x", .fields = {}, .body = {}}, Soon()).error().code, Code::kDenied);
}

TEST(HttpServerTls, ClientsNeedACertificateWhenAsked) {
  const net::TestIdentity ca("ca"), own("localhost", &ca), runner("runner-1", &ca), stranger("stranger");
  TestServer server({.tls = TlsFiles{own.cert_file(), own.key_file(), ca.cert_file()}});
  const auto get = [&](const net::TestIdentity* identity) {
    return ClientFor(server.url("https", "localhost"), ca.cert_file(), identity)
        ->Send({.method = "GET", .target = "/healthz", .fields = {}, .body = {}}, Soon());
  };
  EXPECT_TRUE(get(&runner));
  EXPECT_FALSE(get(&stranger));
  EXPECT_FALSE(get(nullptr));
  FakeService service;
  EXPECT_EQ(Server::Start({.port = 0, .tls = TlsFiles{own.cert_file(), runner.key_file(), ""}}, service).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace writ::http

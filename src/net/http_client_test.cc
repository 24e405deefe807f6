#include "net/http_client.h"

#include <gtest/gtest.h>

#include <thread>

#include "net/http_server_for_test.h"

namespace writ::net {
namespace {

Deadline Soon() { return Deadline::After(Millis(20000)); }

std::unique_ptr<HttpClient> ClientFor(const std::string& url, HttpClientOptions options = {}) {
  auto client = HttpClient::Create(*ParseBaseUrl(url), std::move(options));
  EXPECT_TRUE(client) << client.error().what;
  return *std::move(client);
}

TEST(HttpClient, KeepsOneConnectionAndSendsWhatItWasGiven) {
  std::vector<std::string> requests;
  ScriptedServer server([&](ServerPeer& peer) {
    for (std::string request; !(request = peer.ReadRequest()).empty();) {
      requests.push_back(request);
      peer.Answer("hello", "X-Test: yes\r\n");
    }
  });
  {
    const auto client = ClientFor(server.url() + "/base/");
    const auto first = client->Send({.method = "GET", .target = "/a?b=c", .fields = {{"Accept", "text/plain"}}, .body = {}}, Soon());
    ASSERT_TRUE(first) << first.error().what;
    EXPECT_EQ(first->status, 200U);
    EXPECT_EQ(first->body, "hello");
    EXPECT_EQ(*FindField(first->fields, "x-test"), "yes");
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(client->Send({.method = "POST", .target = "/b", .fields = {}, .body = "{}"}, Soon()));
  }
  EXPECT_EQ(server.connections(), 1);
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0], "GET /base/a?b=c HTTP/1.1\r\nAccept: text/plain\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n\r\n");
  EXPECT_TRUE(requests[1].ends_with("Content-Length: 2\r\n\r\n{}")) << requests[1];
}

TEST(HttpClient, AClosedKeptConnectionCostsNothing) {
  ScriptedServer server([](ServerPeer& peer) {  // closes after each answer without saying so
    if (!peer.ReadRequest().empty()) peer.Answer("once");
  });
  const auto client = ClientFor(server.url());
  for (int i = 0; i < 5; ++i) {
    const auto answer = client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon());
    ASSERT_TRUE(answer) << answer.error().what;
  }
  EXPECT_EQ(server.connections(), 5);
}

TEST(HttpClient, OnlyReadsAreSentAgainWhenAKeptConnectionDies) {
  int requests = 0;
  ScriptedServer server([&](ServerPeer& peer) {  // takes a second request and dies without an answer
    if (!peer.ReadRequest().empty()) peer.Answer("once");
    if (!peer.ReadRequest().empty()) ++requests;
  });
  const auto client = ClientFor(server.url());
  ASSERT_TRUE(client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon()));
  EXPECT_TRUE(client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon()));
  EXPECT_EQ(server.connections(), 2);
  const auto post = client->Send({.method = "POST", .target = "/", .fields = {}, .body = "x"}, Soon());
  ASSERT_FALSE(post);
  EXPECT_EQ(post.error().code, Code::kUnavailable);
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, HostileAnswers) {
  struct Case {
    const char* why;
    std::string answer;
    Code code;
  };
  const Case cases[] = {
      {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", Code::kCorrupt},
      {"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", Code::kCorrupt},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", Code::kCorrupt},
      {"no length", "HTTP/1.1 200 OK\r\n\r\nx", Code::kCorrupt},
      {"too long by its word", "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", Code::kExhausted},
      {"too long in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n",
       Code::kExhausted},
      {"cut in the head", "HTTP/1.1 200 OK\r\nContent-", Code::kUnavailable},
      {"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", Code::kUnavailable},
      {"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx", Code::kUnavailable},
      {"a huge head", "HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'x') + "\r\n\r\n", Code::kCorrupt},
      {"switched protocols", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", Code::kCorrupt},
      {"endless interim answers", [] {
         std::string text;
         for (int i = 0; i < 20; ++i) text += "HTTP/1.1 100 Continue\r\n\r\n";
         return text;
       }(), Code::kCorrupt},
      {"nothing", "", Code::kUnavailable},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    ScriptedServer server([&](ServerPeer& peer) {
      peer.ReadRequest();
      peer.Write(c.answer);
    });
    const auto client = ClientFor(server.url(), {.ca_file = "", .client_cert_file = "", .client_key_file = "", .proxy = {}, .body_bytes_max = 1000});
    const auto answer = client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, c.code) << answer.error().what;
  }
}

TEST(HttpClient, ASilentPeerEndsWithTheDeadlineAndWithCancel) {
  ScriptedServer server([](ServerPeer& peer) {
    peer.ReadRequest();
    peer.ReadRequest();  // until the client closes
  });
  const auto client = ClientFor(server.url());
  EXPECT_EQ(client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Deadline::After(Millis(50))).error().code, Code::kDeadline);
  std::thread canceller([&] { client->Cancel(); });
  const auto answer = client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon());
  canceller.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_NE(answer.error().what.find("cancelled"), std::string::npos) << answer.error().what;
  EXPECT_FALSE(client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon())) << "cancelled for good";
  EXPECT_EQ(client->Pause(Millis(60000)).error().code, Code::kUnavailable);
}

TEST(HttpClient, NobodyListens) {
  std::string url;
  {
    ScriptedServer gone([](ServerPeer&) {});
    url = gone.url();
  }
  const auto client = ClientFor(url);
  EXPECT_EQ(client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon()).error().code, Code::kUnavailable);
}

TEST(HttpClient, RequestsThatAreNoHttpAreRefusedHere) {
  const auto client = ClientFor("http://127.0.0.1:1");
  for (const HttpRequest& request : {HttpRequest{.method = "GET", .target = "/a b", .fields = {}, .body = {}},
                                     HttpRequest{.method = "GET", .target = "http://other/", .fields = {}, .body = {}},
                                     HttpRequest{.method = "GET", .target = "/", .fields = {{"X", "a\r\nY: b"}}, .body = {}},
                                     HttpRequest{.method = "G T", .target = "/", .fields = {}, .body = {}}}) {
    EXPECT_EQ(client->Send(request, Soon()).error().code, Code::kInvalid);
  }
}

TEST(HttpClient, DownloadStreamsAndKeepsTheTextOfRefusals) {
  const std::string big(3 << 20, 'b');
  ScriptedServer server([&](ServerPeer& peer) {
    peer.ReadRequest();
    peer.Answer(big);
    peer.ReadRequest();
    peer.Write("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  });
  const auto client = ClientFor(server.url());
  std::size_t bytes = 0;
  const HttpClient::Sink count = [&](ByteView piece) -> Result<> {
    bytes += piece.size();
    return {};
  };
  const auto good = client->Download({.method = "GET", .target = "/", .fields = {}, .body = {}}, count, Soon());
  ASSERT_TRUE(good) << good.error().what;
  EXPECT_EQ(bytes, big.size());
  EXPECT_TRUE(good->body.empty());
  const auto missing = client->Download({.method = "GET", .target = "/", .fields = {}, .body = {}}, count, Soon());
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->status, 404U);
  EXPECT_EQ(missing->body, "no");
  EXPECT_EQ(bytes, big.size());
}

TEST(HttpClient, UploadHeedsAnEarlyRefusal) {
  ScriptedServer server([](ServerPeer& peer) {
    char byte = 0;
    ASSERT_EQ(::read(peer.fd(), &byte, 1), 1);
    peer.Write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    while (!peer.ReadRequest().empty()) {
    }
  });
  const auto client = ClientFor(server.url());
  const std::uint64_t length = 1ULL << 40;
  const auto answer = client->Upload({.method = "POST", .target = "/", .fields = {}, .body = {}},
                                     []() -> Result<std::optional<std::string>> { return std::string(64 << 10, 'u'); }, length, Soon());
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->status, 413U);
}

TEST(HttpClient, UploadChecksItsLength) {
  ScriptedServer server([](ServerPeer& peer) {
    while (!peer.ReadRequest().empty()) peer.Answer("ok");
  });
  const auto client = ClientFor(server.url());
  const auto upload = [&](std::uint64_t length) {
    int left = 2;
    return client->Upload({.method = "POST", .target = "/", .fields = {}, .body = {}},
                          [&]() -> Result<std::optional<std::string>> { return left-- > 0 ? std::optional<std::string>("12345") : std::nullopt; },
                          length, Soon());
  };
  EXPECT_TRUE(upload(10));
  EXPECT_EQ(upload(9).error().code, Code::kInvalid);
  EXPECT_EQ(upload(11).error().code, Code::kInvalid);
}

TEST(HttpClient, FollowsServerSentEvents) {
  ScriptedServer server([](ServerPeer& peer) {
    const std::string request = peer.ReadRequest();
    EXPECT_NE(request.find("Accept: text/event-stream"), std::string::npos);
    if (request.starts_with("GET /gone")) return peer.Write("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
    peer.Write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\ndata: one\n\nid: 2\ndata: two\n\n");
    if (request.starts_with("GET /open")) peer.ReadRequest();
  });
  std::vector<std::string> seen;
  const auto until = [&](const char* last) {
    seen.clear();
    return [&seen, last](const ServerEvent& event) -> Result<bool> {
      seen.push_back(event.data);
      return event.data != last;
    };
  };
  const auto follow = [&](const char* path, const char* last) {
    return ClientFor(server.url())->Follow({.method = "GET", .target = path, .fields = {}, .body = {}}, until(last), Soon());
  };
  EXPECT_TRUE(follow("/", "none"));
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(follow("/open", "one"));
  EXPECT_EQ(seen, (std::vector<std::string>{"one"}));
  const auto gone = follow("/gone", "none");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->status, 404U);
  EXPECT_EQ(gone->body, "gone");
}

TEST(HttpClientTls, VerifiesThePeer) {
  const TestIdentity ca("ca"), own("localhost", &ca), other("other.example", &ca), address("127.0.0.1", &ca), stranger("localhost");
  const auto serve = [](ServerPeer& peer) {
    while (!peer.ReadRequest().empty()) peer.Answer("secret");
  };
  const auto get = [](const ScriptedServer& server, const char* host, const std::string& trusted) {
    const auto client = ClientFor(server.url("https", host), {.ca_file = trusted, .client_cert_file = "", .client_key_file = "", .proxy = {}});
    auto answer = client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon());
    return answer ? client->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon()) : std::move(answer);
  };
  {
    ScriptedServer server(serve, &own);
    const auto good = get(server, "localhost", ca.cert_file());
    ASSERT_TRUE(good) << good.error().what;
    EXPECT_EQ(good->body, "secret");
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(get(server, "127.0.0.1", ca.cert_file()).error().code, Code::kDenied) << "a name is no address";
    EXPECT_EQ(get(server, "localhost", stranger.cert_file()).error().code, Code::kDenied);
    EXPECT_EQ(get(server, "localhost", "").error().code, Code::kDenied) << "the system does not know it";
  }
  {
    ScriptedServer server(serve, &address);
    EXPECT_TRUE(get(server, "127.0.0.1", ca.cert_file()));
  }
  ScriptedServer server(serve, &other);
  EXPECT_EQ(get(server, "localhost", ca.cert_file()).error().code, Code::kDenied);
}

TEST(HttpClientTls, ShowsItsCertificateToAPeerThatAsks) {
  const TestIdentity ca("ca"), own("localhost", &ca), me("runner-1", &ca);
  ScriptedServer server([](ServerPeer& peer) {
    while (!peer.ReadRequest().empty()) peer.Answer("ok");
  }, &own, &ca);
  auto with = ClientFor(server.url("https", "localhost"),
                        {.ca_file = ca.cert_file(), .client_cert_file = me.cert_file(), .client_key_file = me.key_file(), .proxy = {}});
  const HttpEndpoint endpoint = with->endpoint();
  const auto good = with->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon());
  EXPECT_TRUE(good) << good.error().what;
  with.reset();  // the server takes one connection at a time
  const auto without = ClientFor(server.url("https", "localhost"), {.ca_file = ca.cert_file(), .client_cert_file = "", .client_key_file = "", .proxy = {}});
  EXPECT_EQ(without->Send({.method = "GET", .target = "/", .fields = {}, .body = {}}, Soon()).error().code, Code::kUnavailable);
  EXPECT_EQ(HttpClient::Create(endpoint, {.ca_file = "/nonexistent", .client_cert_file = "", .client_key_file = "", .proxy = {}}).error().code,
            Code::kInvalid);
  EXPECT_EQ(HttpClient::Create(endpoint, {.ca_file = "", .client_cert_file = me.cert_file(), .client_key_file = "", .proxy = {}}).error().code,
            Code::kInvalid);
}

TEST(HttpClientProxy, AsksPlainTargetsAbsolutely) {
  std::string request;
  ScriptedServer proxy([&](ServerPeer& peer) {
    request = peer.ReadRequest();
    peer.Answer("through");
    peer.ReadRequest();
  });
  const auto client = ClientFor("http://plane.example:7172", {.ca_file = "", .client_cert_file = "", .client_key_file = "",
                                                              .proxy = ProxyAddr{"127.0.0.1", proxy.port(), "Basic eA=="}});
  const auto answer = client->Send({.method = "GET", .target = "/v1", .fields = {}, .body = {}}, Soon());
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_TRUE(request.starts_with("GET http://plane.example:7172/v1 HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Proxy-Authorization: Basic eA==\r\n"), std::string::npos) << request;
}

TEST(HttpClientProxy, TunnelsTlsAndShowsItsPasswordToNobodyElse) {
  const TestIdentity own("plane.example");
  std::string connect, inside;
  ScriptedServer proxy([&](ServerPeer& peer) {
    connect = peer.ReadRequest();
    peer.Write("HTTP/1.1 200 Connection established\r\n\r\n");
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(context, own.cert_file().c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, own.key_file().c_str(), SSL_FILETYPE_PEM);
    SSL* tls = SSL_new(context);
    SSL_set_fd(tls, peer.fd());
    EXPECT_EQ(SSL_accept(tls), 1);
    {
      ServerPeer secured(sys::UniqueFd(::dup(peer.fd())), tls);
      inside = secured.ReadRequest();
      secured.Answer("tunnelled");
    }
    SSL_CTX_free(context);
  });
  const auto client = ClientFor("https://plane.example", {.ca_file = own.cert_file(), .client_cert_file = "", .client_key_file = "",
                                                          .proxy = ProxyAddr{"127.0.0.1", proxy.port(), "Basic eA=="}});
  const auto answer = client->Send({.method = "GET", .target = "/v1", .fields = {}, .body = {}}, Soon());
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->body, "tunnelled");
  EXPECT_EQ(connect, "CONNECT plane.example:443 HTTP/1.1\r\nHost: plane.example:443\r\nProxy-Authorization: Basic eA==\r\n\r\n");
  EXPECT_EQ(inside, "GET /v1 HTTP/1.1\r\nHost: plane.example\r\n\r\n");
}

TEST(HttpClientProxy, ARefusedTunnelSaysSo) {
  ScriptedServer proxy([](ServerPeer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  });
  const auto client = ClientFor("https://plane.example", {.ca_file = "", .client_cert_file = "", .client_key_file = "",
                                                          .proxy = ProxyAddr{"127.0.0.1", proxy.port(), ""}});
  const auto answer = client->Send({.method = "GET", .target = "/v1", .fields = {}, .body = {}}, Soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_NE(answer.error().what.find("407"), std::string::npos) << answer.error().what;
}

}  // namespace
}  // namespace writ::net

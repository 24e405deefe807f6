#include "net/http1.h"

#include <gtest/gtest.h>

#include <string>

namespace writ::net {
namespace {

/// Scans and parses a whole message head; nullopt when it is not complete.
Http1Result<std::optional<Http1RequestHead>> Read(std::string_view bytes, const Http1Limits& limits = {}) {
  Http1HeadScanner scanner(limits);
  const auto length = scanner.Scan(bytes);
  if (!length) return std::unexpected(length.error());
  if (!*length) return std::nullopt;
  auto head = ParseRequestHead(bytes.substr(0, **length));
  if (!head) return std::unexpected(head.error());
  return *std::move(head);
}

unsigned Status(std::string_view bytes) {
  const auto read = Read(bytes);
  if (!read) return read.error().status;
  return *read ? 200 : 0;
}

TEST(Http1Request, ReadsAHead) {
  const auto head =
      Read("GET http://Example.org:8080/a?b HTTP/1.1\r\nHost: x\r\nX-A:  v w \t\r\nx-empty:\r\n\r\nbody").value();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->method, "GET");
  EXPECT_EQ(head->target, "http://Example.org:8080/a?b");
  EXPECT_EQ(head->minor, 1U);
  EXPECT_EQ(head->fields, (Http1Fields{{"Host", "x"}, {"X-A", "v w"}, {"x-empty", ""}}));
  EXPECT_EQ(WriteRequestHead(*head).value(),
            "GET http://Example.org:8080/a?b HTTP/1.1\r\nHost: x\r\nX-A: v w\r\nx-empty: \r\n\r\n");
  EXPECT_EQ(Status("GET / HTTP/1.0\r\n\r\n"), 200U);
}

TEST(Http1Request, PiecesOfAnySizeGiveTheSame) {
  const std::string bytes = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  const std::size_t end = bytes.size() - 3;
  Http1HeadScanner scanner;
  for (std::size_t i = 0; i < end; ++i) {
    const auto length = scanner.Scan(std::string_view(bytes).substr(0, i));
    ASSERT_TRUE(length);
    EXPECT_FALSE(*length) << i;
  }
  EXPECT_EQ(scanner.Scan(bytes).value(), end);
  scanner.Reset();
  EXPECT_EQ(scanner.Scan(bytes).value(), end);
}

TEST(Attack23_Smuggling, RequestsThatReadersDisagreeOnAreRefused) {
  using namespace std::string_view_literals;
  const std::string_view cases[] = {
      "GET / HTTP/1.1\nHost: a\n\n",                      // LF alone
      "GET / HTTP/1.1\r\nHost: a\n\r\n",                  //
      "GET / HTTP/1.1\r\nHost: a\r\n\n",                  //
      "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",          // CR inside
      "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",              //
      "GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",  // folding
      "GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n",    //
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n",               //
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",               // space before the colon
      "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n"sv,     // NUL
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"sv,     //
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\x0b\r\n\r\n",      // vertical tab
      "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",           // no name
      "GET / HTTP/1.1\r\nHost: a\r\nXY\r\n\r\n",            // no colon
      "GET / HTTP/1.1\r\nHost: a\r\nX(Y): b\r\n\r\n",       // no token
      "GET / HTTP/1.1\r\nHost: a\r\nX\xC3\xBC: b\r\n\r\n",  //
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",       // two hosts
      "GET / HTTP/1.1\r\nX: a\r\n\r\n",                     // none
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",              // empty line first
      " GET / HTTP/1.1\r\nHost: a\r\n\r\n",                 //
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",                 // two spaces
      "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",                // space in the target
      "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n",               //
      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",                 //
      "GET /\xC3\xBC HTTP/1.1\r\nHost: a\r\n\r\n",          // not ASCII
      "GET /\r\n\r\n",                                      // HTTP/0.9
      "GET / \r\n\r\n",                                     //
      "GET\r\n\r\n",                                        //
      "GET / http/1.1\r\nHost: a\r\n\r\n",                  //
      "GET / HTTP/1.1x\r\nHost: a\r\n\r\n",                 //
      "GET / HTTP/11\r\nHost: a\r\n\r\n",                   //
      "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",                 //
      "\x16\x03\x01\x02\x00\x01\x00",                       // TLS
      "\x05\x01\x00",                                       // SOCKS
  };
  for (const std::string_view bytes : cases) EXPECT_EQ(Status(bytes), 400U) << bytes;
  EXPECT_EQ(Status("PRI * HTTP/2.0\r\n\r\n"), 505U);
  EXPECT_EQ(Status("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505U);
}

TEST(Attack23_Smuggling, NothingAfterTheHeadIsTakenForPartOfIt) {
  EXPECT_FALSE(ParseRequestHead("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /admin HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(ParseRequestHead("GET / HTTP/1.1\r\nHost: a\r\n"));
  EXPECT_FALSE(ParseRequestHead(""));
  EXPECT_FALSE(ParseResponseHead(""));
}

TEST(Attack39_GiantHeaders, AreRefusedBeforeTheyAreComplete) {
  const Http1Limits limits{.start_line_bytes_max = 100, .head_bytes_max = 300, .fields_max = 3};
  EXPECT_EQ(Read("GET /" + std::string(200, 'a'), limits).error().status, 414U);
  EXPECT_EQ(Read("GET /" + std::string(100, 'a') + " HTTP/1.1\r\n", limits).error().status, 414U);
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(Read(start + "X: " + std::string(300, 'a'), limits).error().status, 431U);
  EXPECT_FALSE(Read(start + "X: " + std::string(200, 'a'), limits).value());
  EXPECT_TRUE(Read(start + "A: b\r\nC: d\r\n\r\n", limits).value());
  EXPECT_EQ(Read(start + "A: b\r\nC: d\r\nE: f\r\n", limits).error().status, 431U);
  const std::string many = [&] {
    std::string text = start;
    for (int i = 0; i < 100000; ++i) text += "a:b\r\n";
    return text;
  }();
  EXPECT_EQ(Status(many), 431U);
  EXPECT_EQ(Status("GET / HTTP/1.1\r\nHost: " + std::string(1 << 20, 'a')), 431U);
  EXPECT_EQ(Status(std::string(1 << 20, 'G')), 414U);
  EXPECT_EQ(Status(std::string(33, 'G') + " / HTTP/1.1\r\nHost: a\r\n\r\n"), 501U);
}

TEST(Http1Target, ReadsEveryForm) {
  using Form = Http1Target::Form;
  struct Case {
    const char *method, *target;
    Form form;
    const char *scheme, *hostname;
    int port;
    const char* path;
  };
  for (const Case& c : {Case{"GET", "/a/../b?c=d", Form::kOrigin, "", "", 80, "/a/../b?c=d"},
                        Case{"GET", "//evil.test/x", Form::kOrigin, "", "", 80, "//evil.test/x"},
                        Case{"OPTIONS", "*", Form::kAsterisk, "", "", 80, ""},
                        Case{"CONNECT", "example.org:443", Form::kAuthority, "", "", 80, ""},
                        Case{"GET", "HTTP://EXAMPLE.org./a", Form::kAbsolute, "http", "example.org.", 80, "/a"},
                        Case{"GET", "http://example.org", Form::kAbsolute, "http", "example.org", 80, "/"},
                        Case{"GET", "http://example.org?q", Form::kAbsolute, "http", "example.org", 80, "/?q"},
                        Case{"GET", "https://example.org", Form::kAbsolute, "https", "example.org", 443, "/"},
                        Case{"GET", "ws://example.org:81/s", Form::kAbsolute, "ws", "example.org", 81, "/s"},
                        Case{"GET", "http://[::1]:1/", Form::kAbsolute, "http", "[::1]", 1, "/"},
                        Case{"GET", "http://0x7f.1/", Form::kAbsolute, "http", "127.0.0.1", 80, "/"}}) {
    SCOPED_TRACE(c.target);
    const auto target = ParseRequestTarget({c.method, c.target, 1, {}});
    ASSERT_TRUE(target) << target.error().reason;
    EXPECT_EQ(target->form, c.form);
    EXPECT_EQ(target->scheme, c.scheme);
    EXPECT_EQ(target->hostname, c.hostname);
    EXPECT_EQ(target->port_or_default(), c.port);
    EXPECT_EQ(target->path, c.path);
  }
}

TEST(Attack19_Targets, RefusesWhatIsNoPlainUrl) {
  for (const std::string_view target : {"example.org",
                                        "example.org/x",
                                        "http:/example.org/",
                                        "http:example.org",
                                        "http:\\\\example.org/",
                                        "http:///x",
                                        "http://",
                                        "http://user@example.org/",
                                        "http://user:pw@example.org/",
                                        "http://example.org:443@evil.test/",
                                        "http://example.org:0/",
                                        "http://example.org:99999/",
                                        "http://example.org:8o/",
                                        "http://a%00b/",
                                        "http://example.org#x",
                                        "/a#b",
                                        "*",
                                        "ftp://example.org/",
                                        "file:///etc/passwd",
                                        "gopher://x/",
                                        "javascript:x",
                                        "://x",
                                        "http://[::1/",
                                        "http://[::1%lo]/",
                                        "http://a\\b/",
                                        "http://example.org\\@evil.test/",
                                        "unix:/run/x.sock"}) {
    EXPECT_FALSE(ParseRequestTarget({"GET", std::string(target), 1, {}})) << target;
  }
}

TEST(Http1Response, ReadsAHead) {
  const Http1ResponseHead head = ParseResponseHead("HTTP/1.1 404 Not Found here\r\nA: b\r\n\r\n").value();
  EXPECT_EQ(head.status, 404U);
  EXPECT_EQ(head.reason, "Not Found here");
  EXPECT_EQ(WriteResponseHead(head).value(), "HTTP/1.1 404 Not Found here\r\nA: b\r\n\r\n");
  EXPECT_EQ(ParseResponseHead("HTTP/1.0 200 \r\n\r\n").value().minor, 0U);
  EXPECT_EQ(ParseResponseHead("HTTP/1.1 200\r\n\r\n").value().reason, "");
  for (const std::string_view line : {"HTTP/1.1 20 OK", "HTTP/1.1  200 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK",
                                      "HTTP/1.1 600 OK", "HTTP/1.1 2x0 OK", "HTTP/2.0 200 OK", "HTTP/1.1", "HTTP/1.1 ",
                                      "200 OK", "HTTP/1.1200 OK", "HTTP/1.1 200\tOK", "ICY 200 OK"}) {
    EXPECT_FALSE(ParseResponseHead(std::string(line) + "\r\n\r\n")) << line;
  }
}

TEST(Http1Fields, AreFoundWithoutCase) {
  Http1Fields fields = {{"A", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(*FindField(fields, "a"), "1");
  EXPECT_EQ(FindField(fields, "c"), nullptr);
  EXPECT_EQ(CountFields(fields, "A"), 2U);
  SetField(fields, "a", "9");
  EXPECT_EQ(fields, (Http1Fields{{"A", "9"}, {"b", "2"}}));
  SetField(fields, "C", "4");
  RemoveField(fields, "B");
  EXPECT_EQ(fields, (Http1Fields{{"A", "9"}, {"C", "4"}}));
  EXPECT_TRUE(HasListItem({{"Connection", "x, Keep-ALIVE ,,"}}, "connection", "keep-alive"));
  EXPECT_TRUE(HasListItem({{"Connection", "x"}, {"Connection", "y"}}, "connection", "y"));
  EXPECT_FALSE(HasListItem({{"Connection", "keep-alivex"}}, "connection", "keep-alive"));
}

TEST(Http1Fields, ConnectionsStayOpenByVersionAndField) {
  EXPECT_TRUE(KeepsOpen(1, {}));
  EXPECT_FALSE(KeepsOpen(0, {}));
  EXPECT_TRUE(KeepsOpen(0, {{"connection", "Keep-Alive"}}));
  EXPECT_FALSE(KeepsOpen(1, {{"Connection", "a, Close"}}));
  EXPECT_FALSE(KeepsOpen(0, {{"Connection", "keep-alive, close"}}));
}

TEST(Attack23_HopByHop, OnlyTheOwnConnectionsFieldsAreRemoved) {
  Http1Fields fields = {{"Host", "a"},
                        {"Connection", "X-Own, host, Content-Length"},
                        {"connection", "close"},
                        {"X-Own", "1"},
                        {"Keep-Alive", "5"},
                        {"Proxy-Authorization", "secret"},
                        {"Proxy-Connection", "x"},
                        {"TE", "trailers"},
                        {"Upgrade", "h2c"},
                        {"Transfer-Encoding", "chunked"},
                        {"Content-Length", "3"},
                        {"Proxy-Anything", "x"},
                        {"proxy", "kept"},
                        {"Cookie", "kept"}};
  RemoveHopByHop(fields);
  EXPECT_EQ(fields, (Http1Fields{{"Host", "a"}, {"Content-Length", "3"}, {"proxy", "kept"}, {"Cookie", "kept"}}));
}

TEST(Attack23_HeaderInjection, NothingIsWrittenThatReadsBackDifferently) {
  const Http1Fields bad[] = {{{"A", "b\r\nC: d"}}, {{"A", "b\n"}}, {{"A", std::string("b\0", 2)}},
                             {{"A b", "c"}},       {{"", "c"}},    {{"A:", "c"}},
                             {{"A", " c"}},        {{"A", "c "}},  {{"A\r\n", "c"}}};
  for (const Http1Fields& fields : bad) {
    EXPECT_FALSE(WriteRequestHead({"GET", "/", 1, fields}));
    EXPECT_FALSE(WriteResponseHead({200, "OK", 1, fields}));
  }
  EXPECT_FALSE(WriteRequestHead({"GET", "/ x", 1, {}}));
  EXPECT_FALSE(WriteRequestHead({"GET", "/\r\nX: y", 1, {}}));
  EXPECT_FALSE(WriteRequestHead({"G T", "/", 1, {}}));
  EXPECT_FALSE(WriteRequestHead({"GET", "", 1, {}}));
  EXPECT_FALSE(WriteResponseHead({200, "OK\r\nX: y", 1, {}}));
  EXPECT_FALSE(WriteResponseHead({1000, "OK", 1, {}}));
}

}  // namespace
}  // namespace writ::net

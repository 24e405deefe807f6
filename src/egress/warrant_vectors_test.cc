#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "canon/vectors_for_test.h"
#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

std::string Replace(std::string text, std::string_view what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

/// Status line, fields as a sorted list in lower case, body. Left out is what the recording does not fix: order, case,
/// Connection, Keep-Alive, Transfer-Encoding, the value of Date.
std::string Comparable(std::string text) {
  const auto head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos) return text;
  std::vector<std::string> fields;
  std::size_t at = text.find("\r\n") + 2;
  const std::string status = text.substr(0, at);
  while (at < head_end + 2) {
    const auto end = text.find("\r\n", at);
    std::string line = text.substr(at, end - at);
    const auto colon = line.find(':');
    for (std::size_t i = 0; i < std::min(colon, line.size()); ++i) line[i] = static_cast<char>(std::tolower(line[i]));
    at = end + 2;
    if (line.starts_with("date:")) line = "date: masked";
    const bool free =
        line.starts_with("connection:") || line.starts_with("keep-alive:") || line.starts_with("transfer-encoding:");
    if (!free) fields.push_back(line);
  }
  std::ranges::sort(fields);
  std::string result = status;
  for (const auto& field : fields) result += field + "\n";
  return result + text.substr(head_end);
}

/// Plays the two servers of the recording: each answers connections until the test closes it.
class Servers {
 public:
  Servers() {
    up_ = std::jthread([this] {
      Serve(http, [](Peer& peer) {
        const std::string head = peer.ReadUntil("\r\n\r\n");
        const auto host = head.find("Host: ") + 6;
        const std::string body =
            head.substr(0, head.find(" HTTP/1.1")) + " host=" + head.substr(host, head.find('\r', host) - host);
        peer.Send(
            fmt::format("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-up: 1\r\nDate: now\r\n"
                        "transfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                        body.size(), body));
      });
    });
    tcp_ = std::jthread([this] { Serve(echo, [](Peer& peer) { peer.Send("echo:" + peer.Read(4)); }); });
  }
  ~Servers() {
    for (Upstream* server : {&http, &echo}) ConnectTo(server->endpoint()).Send("STOP");
  }
  Upstream http, echo;

 private:
  static void Serve(Upstream& upstream, const std::function<void(Peer&)>& answer) {
    for (;;) {
      Peer peer = upstream.Accept();
      char first[4] = {};
      ::recv(peer.fd(), first, sizeof first, MSG_PEEK | MSG_WAITALL);
      if (std::string_view(first, 4) == "STOP") return;
      answer(peer);
    }
  }
  std::jthread up_, tcp_;
};

class WarrantEgress : public ProxyTest, public testing::WithParamInterface<writ::test::VectorCase> {};

TEST_P(WarrantEgress, Case) {
  ASSERT_EQ(GetParam().problem, "");
  const canon::Json& item = GetParam().value;
  Servers servers;
  std::vector<std::string> allow_hosts;
  for (const auto& host : item.Find("allowHosts")->array()) allow_hosts.push_back(host.string());
  policy::EgressRules rules = policy::FromAllowHosts(item.Find("defaultDeny")->boolean(), allow_hosts);
  if (GetParam().name == "http_allow_all_policy") {
    // Stricter than the recording: without default deny a loopback address still has to be granted as such.
    rules.rules.push_back(policy::ParseEgressRule("127.0.0.1").value());
  }
  options.warrant_exact = true;
  Start(rules);
  const auto fill = [&](std::string text) {
    return Replace(Replace(std::move(text), "{{UP}}", std::to_string(servers.http.port())), "{{ECHO}}",
                   std::to_string(servers.echo.port()));
  };
  Peer client = Client();
  client.Send(fill(*item.FindString("request")));
  std::string response;
  if (const std::string* then = item.FindString("afterHeaders")) {
    response = client.ReadUntil("\r\n\r\n");
    client.Send(*then);
  }
  response += client.ReadToEnd();
  std::string expected = fill(*item.FindString("response"));
  // The length of the body that names the port depends on the port.
  const std::string body = fmt::format("GET /p?q=1 host=127.0.0.1:{}", servers.http.port());
  expected = Replace(expected, "1f\r\nGET", fmt::format("{:x}\r\nGET", body.size()));
  EXPECT_EQ(Comparable(response), Comparable(expected));

  const auto attempts = observer.attempts();
  const auto& events = item.Find("events")->array();
  ASSERT_EQ(attempts.size(), events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(attempts[i].host, *events[i].FindString("host"));
    EXPECT_EQ(attempts[i].verdict.allowed ? "allowed" : "blocked", *events[i].FindString("decision"));
  }
}

INSTANTIATE_TEST_SUITE_P(Recorded, WarrantEgress, testing::ValuesIn(writ::test::VectorCases("egress.json", "cases")),
                         writ::test::VectorCaseName);

}  // namespace
}  // namespace writ::egress::test

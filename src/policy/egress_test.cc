#include "policy/egress.h"

#include <gtest/gtest.h>

#include <string>

#include "canon/vectors_for_test.h"
#include "net/addresses_for_test.h"
#include "net/authority.h"
#include "policy/target_for_test.h"

namespace writ::policy {
namespace {

using net::Ip;

EgressRules Rules(const std::vector<std::string_view>& texts) {
  EgressRules rules;
  for (const std::string_view text : texts) rules.rules.push_back(ParseEgressRule(text).value());
  return rules;
}
EgressRules Open(const std::vector<std::string_view>& texts = {}) {
  EgressRules rules = Rules(texts);
  rules.open = true;
  return rules;
}

TEST(DecideEgress, AnEmptyListDenies) {
  for (const std::string_view host : {"example.org", "1.1.1.1", "localhost", "[::1]"}) {
    const EgressVerdict verdict = DecideEgress(EgressRules{}, To(host, 443));
    EXPECT_FALSE(verdict.allowed) << host;
    EXPECT_FALSE(verdict.reason.empty());
    EXPECT_FALSE(DecideEgress(FromAllowHosts(true, {}), To(host, 443)).allowed);
  }
  EXPECT_FALSE(DecideEgress(Open(), EgressTarget{}).allowed || DecideEgress(Open({"0.0.0.0/8"}), {{}, 1, {}}).allowed);
  EXPECT_FALSE(EgressVerdict{}.allowed);
}

TEST(DecideEgress, NamesTheRuleAndTheSmallestGrant) {
  const EgressRules rules = Rules({"example.org:443", "*.example.net", "192.0.2.0/24:80"});
  EXPECT_EQ(DecideEgress(rules, To("a.example.net", 1)).rule, "egress.rules[1] *.example.net");
  EXPECT_EQ(DecideEgress(rules, To("example.org", 443)).rule, "egress.rules[0] example.org:443");
  const EgressVerdict denied = DecideEgress(rules, To("Packages.Example.", 443));
  EXPECT_EQ(denied.rule, "default");
  EXPECT_EQ(denied.reason, "no rule grants packages.example:443");
  EXPECT_EQ(denied.smallest_grant, "--net packages.example:443");
  EXPECT_EQ(DecideEgress(rules, To("[2606:4700::1]", 53)).smallest_grant, "--net [2606:4700::1]:53");
  EXPECT_EQ(DecideEgress(Open(), To("packages.example", 443)).rule, "egress.open");
  EXPECT_EQ(DecideEgress(FromAllowHosts(false, {}), To("packages.example", 443)).rule, "network.defaultDeny");
}

TEST(DecideEgress, EverySmallestGrantGrants) {
  for (const std::string_view host :
       {"packages.example", "1.1.1.1", "10.0.0.1", "[fd00::1]", "127.0.0.1", "169.254.169.254", "[fd00:ec2::254]",
        "[::ffff:10.0.0.1]", "0.0.0.0", "224.0.0.1"}) {
    SCOPED_TRACE(host);
    const EgressTarget target = To(host, 8443);
    const std::string grant = DecideEgress(EgressRules{}, target).smallest_grant;
    ASSERT_TRUE(grant.starts_with("--net ")) << grant;
    EXPECT_TRUE(DecideEgress(Rules({std::string_view(grant).substr(6)}), target).allowed);
  }
}

TEST(DecideName, AnswersOnlyNamesOfWhichSomePortIsGranted) {
  const EgressRules rules = Rules({"example.org:443", "*.example.net", "10.0.0.0/8", "api.test GET /x"});
  EXPECT_TRUE(DecideName(rules, To("example.org", 0).host).allowed);
  EXPECT_TRUE(DecideName(rules, To("a.example.net", 0).host).allowed);
  EXPECT_TRUE(DecideName(rules, To("api.test", 0).host).intercept);
  EXPECT_FALSE(DecideName(rules, To("example.net", 0).host).allowed);
  EXPECT_FALSE(DecideName(rules, To("secret.evil.test", 0).host).allowed);
  EXPECT_FALSE(DecideName(rules, To("10.0.0.1", 0).host).allowed);
  EXPECT_EQ(DecideName(rules, To("example.net", 0).host).smallest_grant, "--net example.net");
  EXPECT_TRUE(DecideName(Open(), To("anything.test", 0).host).allowed);
  EXPECT_TRUE(DecideName(FromAllowHosts(true, {"ok.test"}), To("ok.test", 0).host).allowed);
  EXPECT_FALSE(DecideName(FromAllowHosts(true, {"*.ok.test"}), To("a.ok.test", 0).host).allowed);
}

TEST(Attack19_Egress, AnotherSpellingIsJudgedAsTheSameHost) {
  const EgressRules rules = Open({"example.org:443"});
  for (const std::string_view host : {"2130706433", "0x7f.1", "0177.1", "127.1", "127.0.0.1.", "[::ffff:127.0.0.1]",
                                      "①②⑦.1", "[::1]", "0", "0xa9fea9fe", "169.254.43518"}) {
    EXPECT_FALSE(DecideEgress(rules, To(host, 80)).allowed) << host;
  }
  for (const std::string_view host : {"EXAMPLE.ORG", "example.org.", "ｅxample.org"}) {
    EXPECT_EQ(DecideEgress(rules, To(host, 443)).rule, "egress.rules[0] example.org:443") << host;
  }
  EXPECT_FALSE(DecideEgress(Rules({"example.org"}), To("exаmple.org", 443)).allowed);  // Cyrillic a
}

TEST(Attack20_Egress, NoClassButPublicIsOpen) {
  struct Case {
    const char* address;
    const char* word;
  };
  const Case cases[] = {{"10.0.0.1", "private"},
                        {"192.168.0.1", "private"},
                        {"127.0.0.1", "loopback"},
                        {"0.0.0.0", "unspecified"},
                        {"169.254.1.1", "link-local"},
                        {"169.254.169.254", "metadata"},
                        {"100.64.0.1", "shared-nat"},
                        {"224.0.0.1", "multicast"},
                        {"255.255.255.255", "broadcast"},
                        {"198.18.0.1", "reserved"},
                        {"[::1]", "loopback"},
                        {"[::]", "unspecified"},
                        {"[fe80::1]", "link-local"},
                        {"[fd00::1]", "private"},
                        {"[::ffff:10.0.0.1]", "private"},
                        {"[::ffff:1.1.1.1]", "mapped"},
                        {"[64:ff9b::10.0.0.1]", "private"},
                        {"[2002:7f00:1::]", "loopback"},
                        {"[2001:0:101:101::80ff:fffe]", "loopback"},
                        {"[::127.0.0.1]", "loopback"},
                        {"[fd00:ec2::254]", "metadata"}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.address);
    const EgressTarget literal = To(c.address, 80);
    const net::IpAddress address = *literal.host.address;
    for (const EgressRules& rules : {Open(), FromAllowHosts(false, {}), FromAllowHosts(false, {"example.org"}),
                                     Open({"0.0.0.0/0", "::/0"}), Open({"example.org"})}) {
      const EgressVerdict verdict = DecideEgress(rules, literal);
      EXPECT_FALSE(verdict.allowed);
      EXPECT_EQ(verdict.rule, "address-class");
      EXPECT_NE(verdict.reason.find(c.word), std::string::npos) << verdict.reason;
      EXPECT_FALSE(DecideAddress(rules, literal, address).allowed);
      const EgressVerdict led = DecideAddress(rules, To("example.org", 80), address);
      EXPECT_FALSE(led.allowed);
      EXPECT_NE(led.reason.find(c.word), std::string::npos) << led.reason;
      EXPECT_EQ(led.smallest_grant, verdict.smallest_grant);
    }
    const EgressRules granted = Open({std::string_view(c.address)});
    EXPECT_TRUE(DecideEgress(granted, literal).allowed);
    EXPECT_TRUE(DecideAddress(granted, literal, address).allowed);
    EXPECT_TRUE(DecideAddress(granted, To("example.org", 80), address).allowed);
  }
}

TEST(Attack20_Egress, RangesGrantWhatTheyWereMeantFor) {
  struct Case {
    const char *rule, *address;
    std::uint16_t port;
    bool allowed;
  };
  for (const Case& c :
       {Case{"10.0.0.0/8", "10.1.2.3", 1, true}, Case{"10.0.0.0/8:5432", "10.1.2.3", 5432, true},
        Case{"10.0.0.0/8:5432", "10.1.2.3", 80, false}, Case{"10.0.0.0/7", "10.1.2.3", 1, false},
        Case{"0.0.0.0/0", "1.1.1.1", 1, true}, Case{"0.0.0.0/0", "10.0.0.1", 1, false},
        Case{"169.254.0.0/16", "169.254.1.1", 80, true}, Case{"169.254.0.0/16", "169.254.169.254", 80, false},
        Case{"169.254.169.254/32", "169.254.169.254", 80, true}, Case{"fc00::/7", "[fd00::1]", 1, true},
        Case{"fc00::/7", "[fd00:ec2::254]", 80, false}, Case{"fc00::/6", "[fd00::1]", 1, false},
        Case{"10.0.0.0/8", "[::ffff:10.0.0.1]", 1, false}, Case{"::ffff:a00:0/104", "[::ffff:10.0.0.1]", 1, true}}) {
    SCOPED_TRACE(std::string(c.rule) + " " + c.address);
    EXPECT_EQ(DecideEgress(Rules({c.rule}), To(c.address, c.port)).allowed, c.allowed);
  }
}

TEST(Attack21_Rebinding, EachAddressOfAnAnswerIsJudged) {
  const EgressRules rules = Rules({"example.org:443", "10.0.0.5:443"});
  const EgressTarget target = To("example.org", 443);
  struct Case {
    const char* address;
    bool allowed;
  };
  for (const Case& c : {Case{"93.184.216.34", true}, Case{"10.0.0.6", false}, Case{"10.0.0.5", true},
                        Case{"127.0.0.1", false}, Case{"2606:2800::1", true}, Case{"::1", false},
                        Case{"::ffff:10.0.0.5", false}, Case{"169.254.169.254", false}}) {
    SCOPED_TRACE(c.address);
    const EgressVerdict verdict = DecideAddress(rules, target, Ip(c.address));
    EXPECT_EQ(verdict.allowed, c.allowed);
    EXPECT_EQ(verdict.rule, c.allowed ? "egress.rules[0] example.org:443" : "address-class");
  }
  EXPECT_FALSE(DecideAddress(rules, To("example.org", 80), Ip("93.184.216.34")).allowed);  // the port is not granted
  EXPECT_FALSE(DecideAddress(rules, To("evil.test", 443), Ip("93.184.216.34")).allowed);   // the name is not granted
  EXPECT_FALSE(DecideAddress(rules, To("evil.test", 443), Ip("10.0.0.5")).allowed);  // by a granted address neither
  EXPECT_FALSE(DecideAddress(rules, To("10.0.0.5", 443), Ip("10.0.0.6")).allowed);   // literals lead to themselves
  EXPECT_EQ(DecideAddress(rules, target, Ip("10.0.0.6")).smallest_grant, "--net 10.0.0.6:443");
  // A rule about requests to an address does not open that address to another name.
  EXPECT_FALSE(DecideAddress(Rules({"example.org", "10.0.0.5 GET /x"}), target, Ip("10.0.0.5")).allowed);
}

TEST(DecideRequest, MethodsAndPathsOfInterceptedHosts) {
  const EgressRules rules = Rules({"api.test:443 GET,HEAD /v1/**", "api.test:443 POST /v1/items", "free.test",
                                   "both.test GET /x", "both.test", "10.0.0.5 GET /x", "0.0.0.0/0 * /**"});
  const EgressTarget api = To("api.test", 443);
  EXPECT_TRUE(DecideEgress(rules, api).allowed);
  EXPECT_TRUE(DecideEgress(rules, api).intercept);
  EXPECT_EQ(DecideRequest(rules, api, "GET", "/v1/a?b=c").rule, "egress.rules[0] api.test:443 GET,HEAD /v1/**");
  EXPECT_EQ(DecideRequest(rules, api, "POST", "/v1/items").rule, "egress.rules[1] api.test:443 POST /v1/items");
  const EgressVerdict denied = DecideRequest(rules, api, "DELETE", "/v1/items?x");
  EXPECT_FALSE(denied.allowed);
  EXPECT_EQ(denied.smallest_grant, "--net-rule 'api.test:443 DELETE /v1/items'");
  for (const std::string_view path :
       {"/v1/../admin", "/v1/%2e%2e/admin", "/v1//x", "/v1/..;/admin", "/v1%2f..%2fadmin", "*", ""}) {
    EXPECT_FALSE(DecideRequest(rules, api, "GET", path).allowed) << path;
  }
  EXPECT_FALSE(DecideRequest(rules, To("api.test", 80), "GET", "/v1/a").allowed);
  for (const std::string_view host : {"free.test", "both.test"}) {
    EXPECT_FALSE(DecideEgress(rules, To(host, 443)).intercept) << host;
    EXPECT_TRUE(DecideRequest(rules, To(host, 443), "PUT", "/any/../thing").allowed) << host;
  }
  // A wide range opens no private address, and so cannot widen what another rule grants there.
  EXPECT_TRUE(DecideRequest(rules, To("10.0.0.5", 80), "GET", "/x").allowed);
  EXPECT_FALSE(DecideRequest(rules, To("10.0.0.5", 80), "GET", "/y").allowed);
  EXPECT_TRUE(DecideRequest(rules, To("1.1.1.1", 80), "GET", "/y").allowed);
  // Requests stay restricted where everything else is open.
  EXPECT_FALSE(DecideRequest(Open({"api.test GET /v1"}), api, "POST", "/v1").allowed);
}

/// Where a recorded raw request goes, as the proxy reads it; nullopt for one that is refused before any decision.
std::optional<EgressTarget> RecordedTarget(std::string request) {
  for (const std::string_view port : {"{{UP}}", "{{ECHO}}"}) {
    for (std::size_t at; (at = request.find(port)) != std::string::npos;) request.replace(at, port.size(), "8080");
  }
  const std::size_t start = request.find(' ') + 1;
  const std::string text = request.substr(start, request.find(' ', start) - start);
  if (request.starts_with("CONNECT ")) {
    const net::ConnectAuthority authority = net::ParseConnectAuthority(text);
    const auto host = net::NormaliseHost(authority.host);
    return host ? std::optional(EgressTarget{*host, authority.UsablePort().value_or(0), authority.host}) : std::nullopt;
  }
  if (!text.starts_with("http://")) return std::nullopt;
  const net::Authority authority = net::ParseAuthority(text.substr(7, text.find('/', 7) - 7)).value();
  return EgressTarget{authority.host, authority.port.value_or(80), authority.hostname};
}

TEST(FromAllowHosts, DecidesEveryRecordedCase) {
  const canon::Json file = test::VectorFile("egress.json");
  ASSERT_GE(file.Find("cases")->array().size(), 15U);
  for (const canon::Json& recorded : file.Find("cases")->array()) {
    SCOPED_TRACE(*recorded.FindString("name"));
    std::vector<std::string> hosts;
    for (const canon::Json& host : recorded.Find("allowHosts")->array()) hosts.push_back(host.string());
    EgressRules rules = FromAllowHosts(recorded.Find("defaultDeny")->boolean(), hosts);
    // The recorded upstream is on loopback, which here has to be granted where no entry names it.
    if (!rules.default_deny) rules.rules.push_back(ParseEgressRule("127.0.0.1").value());
    const auto target = RecordedTarget(*recorded.FindString("request"));
    const auto& events = recorded.Find("events")->array();
    if (!target) {  // no absolute URL: no event; no host: blocked without asking
      EXPECT_TRUE(events.empty() || events[0].FindString("host")->empty());
      continue;
    }
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(target->spelled, *events[0].FindString("host"));
    EXPECT_EQ(DecideEgress(rules, *target).allowed, *events[0].FindString("decision") == "allowed");
  }
}

TEST(FromAllowHosts, ComparesExactly) {
  const EgressRules rules = FromAllowHosts(true, {"ok.test", "*.star.test", "10.0.0.1", "odd/entry\n"});
  EXPECT_EQ(DecideEgress(rules, To("ok.test", 1)).rule, "network.allowHosts[0] ok.test");
  EXPECT_FALSE(DecideEgress(rules, To("a.star.test", 1)).allowed);
  EXPECT_TRUE(DecideEgress(rules, To("10.0.0.1", 1)).allowed);  // an address that is listed is granted as such
  EXPECT_FALSE(DecideEgress(rules, To("10.0.0.2", 1)).allowed);
  EXPECT_TRUE(DecideAddress(rules, To("ok.test", 1), Ip("10.0.0.1")).allowed);
  EXPECT_FALSE(DecideAddress(rules, To("ok.test", 1), Ip("10.0.0.2")).allowed);
}

}  // namespace
}  // namespace writ::policy

// What programs in a cell learn of names, and who is asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "matchers.h"
#include "outside.h"

namespace writ::net_test {
namespace {

TEST(NetDns, DigFindsGrantedNamesWhateverResolverItAsks) {
  WRIT_NEEDS_CLIENTS("/usr/bin/dig");
  const Outside outside;
  const Job job =
      RunJob(outside, {"--net", "public.test:8080"},
             "for how in '' +tcp @8.8.8.8 '@8.8.8.8 +tcp' @2001:4860:4860::8888 '@2001:4860:4860::8888 +tcp'; do "
             "dig +short $how public.test; dig +short $how AAAA public.test; done; dig +short TXT public.test; "
             "dig TXT PUBLIC.test. | grep -c 'status: NOERROR'");
  std::multiset<std::string> lines;
  std::string line;
  for (const char byte : job.ended.out) {
    if (byte != '\n') {
      line += byte;
    } else {
      lines.insert(line);
      line.clear();
    }
  }
  EXPECT_EQ(lines.count("198.18.1.0"), 6u) << job.ended.out << job.ended.err;
  EXPECT_EQ(lines.count("fd77:7269:7400::100"), 6u) << job.ended.out;
  EXPECT_EQ(lines.count("1"), 1u) << job.ended.out;
  EXPECT_EQ(lines.size(), 13u) << job.ended.out;
  EXPECT_THAT(job.attempts(), IsEmpty()) << "a question for a granted name reaches nobody";
  EXPECT_THAT(outside.Arrived("dns"), IsEmpty());
}

TEST(NetDns, OtherNamesDoNotExistAndAreRecorded) {
  WRIT_NEEDS_CLIENTS("/usr/bin/dig");
  const Outside outside;
  const Job job = RunJob(
      outside, {"--net", "public.test:8080"},
      "for how in '' +tcp @8.8.8.8; do for name in other.test sub.public.test; do dig $how $name; dig $how TXT $name; "
      "done; done | grep -c 'status: NXDOMAIN'; getent hosts third.test; echo $?");
  EXPECT_EQ(job.ended.out, "12\n2\n") << job.ended.err;
  EXPECT_THAT(job.attempts(), ElementsAre("other.test:0 dns blocked default", "sub.public.test:0 dns blocked default",
                                          "third.test:0 dns blocked default"));
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
}

TEST(NetDns, Attack22_OnlyAGrantedNameIsAskedOutsideAndOnlyForAConnection) {
  WRIT_NEEDS_CLIENTS("/usr/bin/dig", "/usr/bin/curl");
  const Outside outside;
  outside.Serve("f.txt", "from outside\n");
  const Job job =
      RunJob(outside, {"--net", "asked.answers.test:8080", "--net", "*.below.answers.test:8080"},
             "for i in 1 2 3; do dig k$i.secret.test; dig k$i.asked.answers.test; dig @8.8.8.8 TXT k$i.secret.test; "
             "dig +tcp @1.1.1.1 k$i.answers.test; dig -p 5353 +time=1 +tries=1 @224.0.0.251 k$i.local; "
             "dig k$i.below.answers.test; curl -sS http://k$i.curl.test/; getent hosts k$i; done > /dev/null 2>&1; "
             "curl -sS http://asked.answers.test:8080/f.txt");
  EXPECT_EQ(job.ended.out, "from outside\n") << job.ended.err;
  EXPECT_THAT(outside.Arrived("dns"), Not(IsEmpty())) << "the name server that must hear nothing else does hear";
  EXPECT_THAT(outside.Arrived("dns"), Each(HasSubstr(" asked.answers.test ")))
      << "names below a granted suffix stay inside too";
  EXPECT_THAT(outside.Arrived("udp"), IsEmpty());
  for (const char* name : {"k1.secret.test:0 dns", "k3.asked.answers.test:0 dns", "k2.answers.test:0 dns",
                           "k3.curl.test:80 http", "k1:0 dns"})
    EXPECT_THAT(job.attempts(), Contains(StartsWith(std::string(name) + " blocked"))) << name;
}

TEST(NetDns, Attack22_ResolversOverHttpsAndTlsAreHostsLikeOthers) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const std::string ask =
      "curl -sSm 20 --doh-url https://93.184.215.14:8443/dns-query http://k1.secret.test/; "
      "openssl s_client -connect 8.8.8.8:853 < /dev/null\n";
  const Job job = RunJob(outside, {"--net", "asked.answers.test"},
                         ask + "unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY\n" + ask);
  EXPECT_NE(job.ended.status, 0);
  EXPECT_THAT(job.attempts(), AllOf(Contains("k1.secret.test:80 http blocked default"),
                                    Contains(StartsWith("93.184.215.14:8443 transparent blocked")),
                                    Contains(StartsWith("8.8.8.8:853 transparent blocked"))));
  EXPECT_THAT(job.attempts(), Each(HasSubstr(" blocked ")));
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
}

}  // namespace
}  // namespace writ::net_test

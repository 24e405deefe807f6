// Attacks on the network of a run with the tools that attackers have, and what the evidence says of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "matchers.h"
#include "outside.h"

namespace writ::net_test {
namespace {

const std::string kGuests = WRIT_BIN_DIR "/guests/";

/// `outcome` of `name: outcome` in what a guest printed; "" when it did not.
std::string Line(const std::string& out, const std::string& name) {
  const auto at = ("\n" + out).find("\n" + name + ": ");
  if (at == std::string::npos) return "";
  const auto start = at + name.size() + 2;
  return out.substr(start, out.find('\n', start) - start);
}

TEST(NetAttack, WhatMustNotBeReachedAnswersThoseOutside) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl", "/usr/bin/dig");
  const Outside outside;
  outside.Serve("f.txt", "from outside\n");
  const auto said = outside.Host(
      {"/bin/sh", "-c",
       "for host in 10.7.7.7:8080 169.254.169.254 metadata.test private.test:8080 0.0.0.0:8080 other.test:8080; do "
       "curl -sS http://$host/f.txt; done; for to in '93.184.215.14 443' '10.7.7.7 9999'; do " +
           kGuests + "dial udp $to x; done; dig +short @8.8.8.8 some.answers.test; " + kGuests +
           "unix_sockets @writ-outside " + outside.File("outside.sock") + " | grep -c 'outside.*: SUCCEEDED'"});
  std::string expected;
  for (int i = 0; i < 6; ++i) expected += "from outside\n";
  EXPECT_EQ(said.out, expected + "dial: reached answer\ndial: reached answer\n93.184.215.14\n2\n") << said.err;
  EXPECT_EQ(outside.Arrived("dns").size(), 1u);
  EXPECT_EQ(outside.Arrived("udp").size(), 2u);
}

TEST(NetAttack, Attack08_LocalSocketsStayUnreachableWithANetwork) {
  WRIT_NEEDS_CLIENTS();
  const Outside outside;
  const std::string path = outside.File("outside.sock");
  const Job job = RunJob(outside, {"--net", "open", "--net", "127.0.0.1", "--input", kGuests + "unix_sockets"},
                         "/in/unix_sockets @writ-outside '" + path + "'");
  EXPECT_EQ(job.ended.status, 0) << job.ended.out;
  EXPECT_EQ(Line(job.ended.out, "connect-stream @writ-outside"), "refused ECONNREFUSED");
  EXPECT_EQ(Line(job.ended.out, "connect-stream " + path), "refused ENOENT");
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
  EXPECT_THAT(job.Receipt("enforced"), HasSubstr(R"("network":"netns+proxy")"));
}

TEST(NetAttack, Attack20_AddressesThatLeadInside) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const std::vector<std::string> urls = {"169.254.169.254",
                                         "10.7.7.7:8080",
                                         "[::ffff:169.254.169.254]",
                                         "[::ffff:a9fe:a9fe]:8080",
                                         "[64:ff9b::a9fe:a9fe]",
                                         "[2002:a9fe:a9fe::1]",
                                         "2852039166",
                                         "0xa9fea9fe",
                                         "0251.0376.0251.0376",
                                         "169.254.43518",
                                         "[::10.7.7.7]:8080",
                                         "metadata.test",
                                         "private.test:8080",
                                         "[fe80::1]",
                                         "0.0.0.0:8080"};
  std::string script;
  for (const auto& url : urls)
    script += "curl -gsSf -m 20 'http://" + url + "/'; curl -gsSfp -m 20 'http://" + url + "/'\n";
  const Job job = RunJob(outside, {"--net", "open"}, "unset no_proxy NO_PROXY\n" + script + kNoProxy + script);
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
  const auto attempts = job.attempts();
  for (const char* from :
       {"169.254.169.254:80 http blocked", "169.254.169.254:80 connect blocked",
        "169.254.169.254:80 transparent blocked", "10.7.7.7:8080 http blocked", "10.7.7.7:8080 connect blocked",
        "10.7.7.7:8080 transparent blocked", "metadata.test:80 http blocked", "metadata.test:80 connect blocked",
        "metadata.test:80 transparent blocked", "private.test:8080 http blocked",
        "private.test:8080 transparent blocked", "0.0.0.0:8080 http blocked"})
    EXPECT_THAT(attempts, Contains(StartsWith(from)));
  std::size_t mapped = 0;
  for (const auto& attempt : attempts)
    mapped += attempt.find("::") != std::string::npos && attempt.find(" blocked ") != std::string::npos;
  EXPECT_GE(mapped, 12u) << testing::PrintToString(attempts);
}

TEST(NetAttack, Attack21_OfTwoAddressesThePrivateOneIsNotTaken) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const Job job = RunJob(outside, {"--net", "two.test:8080"},
                         "curl -sSf http://two.test:8080/\n" + kNoProxy + "curl -sSf http://two.test:8080/");
  EXPECT_EQ(job.ended.status, 0) << job.ended.err;
  EXPECT_THAT(outside.Arrived("to "), ElementsAre("to 93.184.215.14", "to 93.184.215.14"));
  EXPECT_THAT(job.attempts(),
              AllOf(Contains(StartsWith("two.test:8080 http ")), Contains(StartsWith("two.test:8080 transparent "))));
}

TEST(NetAttack, Attack23_AnotherNameInsideTheTunnel) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("f.txt", "from outside\n");
  const std::string connect = "openssl s_client -quiet -connect public.test:8443 -servername other.test ";
  const Job job = RunJob(outside, {"--net", "public.test"},
                         connect + "-proxy 127.0.0.1:3128; " + connect +
                             "; curl -sSf -p -H 'Host: other.test' http://public.test:8080/f.txt; "
                             "curl -sSf -H 'Host: other.test' http://public.test:8080/f.txt\n" +
                             kNoProxy + "curl -sSf -H 'Host: other.test' http://public.test:8080/f.txt");
  EXPECT_THAT(outside.Arrived("tls"), IsEmpty());
  EXPECT_THAT(outside.Arrived("http other.test"), IsEmpty());
  EXPECT_THAT(job.attempts(), AllOf(Contains("public.test:8443 connect blocked tunnel.sni"),
                                    Contains("public.test:8443 transparent blocked tunnel.sni"),
                                    Contains("public.test:8080 connect blocked tunnel.host"),
                                    Contains("public.test:8080 transparent blocked tunnel.host")));
}

TEST(NetAttack, Attack24_NothingButTcpAndNamesLeaves) {
  WRIT_NEEDS_CLIENTS();
  const Outside outside;
  const Job job = RunJob(outside,
                         {"--net", "open", "--net", "93.184.215.14", "--net", "10.7.7.7", "--input",
                          kGuests + "network", "--input", kGuests + "dial"},
                         "/in/network 93.184.215.14:9999 10.7.7.7:9999; /in/dial udp 93.184.215.14 443 x");
  EXPECT_NE(job.ended.status, 0);
  for (const char* name :
       {"udp 93.184.215.14:9999", "udp 10.7.7.7:9999", "udp 8.8.8.8:443", "udp [2606:4700:4700::1111]:443",
        "udp 224.0.0.251:5353", "socket-raw-icmp", "socket-raw-tcp", "socket-raw-6", "socket-ping", "socket-packet",
        "socket-packet-old", "socket-vsock-stream", "socket-vsock-dgram", "socket-sctp", "socket-mptcp",
        "configure-interface"})
    EXPECT_THAT(Line(job.ended.out, name), StartsWith("refused E")) << name;
  EXPECT_THAT(Line(job.ended.out, "dial"), StartsWith("refused E"));
  EXPECT_THAT(outside.Arrived("udp"), IsEmpty());
  EXPECT_THAT(job.Receipt("enforced"),
              AllOf(HasSubstr(R"("network":"netns+proxy")"), HasSubstr(R"("seccomp":"filter")")));
}

TEST(NetAttack, Attack24_AForwarderInTheCellIsJudgedTheSame) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const Job job = RunJob(outside, {"--net", "public.test"}, R"(/usr/bin/python3 -c '
import socket, threading
listener = socket.create_server(("127.0.0.1", 8888))
def pass_on(a, b):
    while data := a.recv(4096):
        b.sendall(data)
    b.close()
def serve():
    while True:
        client, _ = listener.accept()
        proxy = socket.create_connection(("127.0.0.1", 3128))
        threading.Thread(target=pass_on, args=(client, proxy)).start()
        threading.Thread(target=pass_on, args=(proxy, client)).start()
threading.Thread(target=serve).start()
' & curl -sSfp --retry 60 --retry-connrefused --retry-delay 1 -x http://127.0.0.1:8888 http://other.test:8080/; kill $!)");
  EXPECT_THAT(job.attempts(), ElementsAre("other.test:8080 connect blocked default"));
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
}

TEST(NetAttack, Attack25_WithoutProxyVariablesNothingElseIsReached) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const Job job =
      RunJob(outside, {"--net", "other.test:8080", "--input", kGuests + "dial"},
             kNoProxy +
                 "/in/dial tcp 93.184.215.14 8080 x; /in/dial tcp 10.7.7.7 8080 x; curl -sSf http://public.test:8080/; "
                 "curl -sSf http://93.184.215.14:8080/");
  EXPECT_NE(job.ended.status, 0);
  EXPECT_THAT(job.ended.out, Not(HasSubstr("reached HTTP")));
  EXPECT_THAT(job.attempts(), AllOf(Contains(StartsWith("93.184.215.14:8080 transparent blocked")),
                                    Contains(StartsWith("10.7.7.7:8080 transparent blocked")),
                                    Contains("public.test:0 dns blocked default"), Each(HasSubstr(" blocked "))));
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
}

TEST(NetAttack, Attack27_TheBudgetEndsTheRunAndBytesAreCounted) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("small", std::string(1000, 's'));
  const std::string upload =
      "head -c 4000000 /dev/zero > big; curl -sS http://public.test:8080/small | wc -c; "
      "curl -sS --data-binary @big http://public.test:8080/paste; echo went on; sleep 60";
  for (const bool proxied : {true, false}) {
    SCOPED_TRACE(proxied ? "through the proxy" : "without proxy");
    const Job job =
        RunJob(outside, {"--net", "public.test:8080", "--net-budget", "100K"}, (proxied ? "" : kNoProxy) + upload);
    EXPECT_EQ(job.ended.status, 137) << job.ended.err;
    EXPECT_THAT(job.ended.out, StartsWith("1000\n"));
    EXPECT_THAT(job.Receipt("termination"), HasSubstr(R"("how":"egress_budget")"));
    const auto use = job.UseOf("public.test", 8080);
    ASSERT_TRUE(use.has_value()) << job.Receipt("network");
    EXPECT_EQ(use->connections, 2u);
    EXPECT_GT(use->bytes_in, 1000u);
    EXPECT_GT(use->bytes_out, 20'000u);
    EXPECT_LE(use->bytes_in + use->bytes_out, 102'400u);
  }
}

}  // namespace
}  // namespace writ::net_test

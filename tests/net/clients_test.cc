// Clients that people use, inside a cell, against servers outside of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "matchers.h"
#include "outside.h"

namespace writ::net_test {
namespace {

const std::string kProxyForAll = "unset no_proxy NO_PROXY\n";

TEST(NetClients, CurlThroughTheProxyAndWithoutIt) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("f.txt", "from outside\n");
  const Job job = RunJob(outside, {"--net", "public.test:8080"},
                         "curl -sS http://public.test:8080/f.txt && curl -sSp http://public.test:8080/f.txt\n" +
                             kNoProxy + "curl -sS http://public.test:8080/f.txt");
  EXPECT_EQ(job.ended.status, 0) << job.ended.err;
  EXPECT_EQ(job.ended.out, "from outside\nfrom outside\nfrom outside\n");
  EXPECT_THAT(job.attempts(), ElementsAre("public.test:8080 http allowed egress.rules[0] public.test:8080",
                                          "public.test:8080 connect allowed egress.rules[0] public.test:8080",
                                          "public.test:8080 transparent allowed egress.rules[0] public.test:8080"));
  const auto use = job.UseOf("public.test", 8080);
  ASSERT_TRUE(use.has_value()) << job.Receipt("network");
  EXPECT_EQ(use->connections, 3u);
  EXPECT_GT(use->bytes_in, 3 * 13u);
  EXPECT_GT(use->bytes_out, 0u);
}

TEST(NetClients, CurlOverEitherFamilyWithoutProxy) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("f.txt", "from outside\n");
  const Job job = RunJob(outside, {"--net", "public.test:8080"},
                         kNoProxy + "for family in -4 -6; do curl -sS $family http://public.test:8080/f.txt; done");
  EXPECT_EQ(job.ended.out, "from outside\nfrom outside\n") << job.ended.err;
  EXPECT_THAT(job.attempts(), ElementsAre("public.test:8080 transparent allowed egress.rules[0] public.test:8080",
                                          "public.test:8080 transparent allowed egress.rules[0] public.test:8080"));
}

TEST(NetClients, CurlIsToldWhatWouldBeEnough) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const Job job = RunJob(outside, {"--net", "public.test:8080"},
                         "curl -sS http://other.test:8080/f.txt; curl -sSp http://other.test:8080/");
  EXPECT_NE(job.ended.status, 0);
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("default"), HasSubstr("--net other.test:8080")));
  EXPECT_THAT(job.attempts(),
              ElementsAre("other.test:8080 http blocked default", "other.test:8080 connect blocked default"));
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
  const auto use = job.UseOf("other.test", 8080);
  ASSERT_TRUE(use.has_value()) << job.Receipt("network");
  EXPECT_EQ(use->refused, 2u);
  EXPECT_EQ(use->connections, 0u);
}

TEST(NetClients, AnotherPortOfAGrantedHostIsRefused) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const Job job = RunJob(outside, {"--net", "public.test:8443"},
                         "curl -sSf http://public.test:8080/\n" + kNoProxy + "curl -sSf http://public.test:8080/");
  EXPECT_NE(job.ended.status, 0);
  EXPECT_THAT(job.attempts(),
              AllOf(Contains("public.test:8080 http blocked default"),
                    Contains("public.test:8080 transparent blocked default"), Each(HasSubstr(" blocked default"))));
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
}

TEST(NetClients, MethodsAndPathsOfARule) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("v1.txt", "one\n");
  const Job job = RunJob(
      outside, {"--net-rule", "public.test:8080 GET /v1*"},
      "for go in 1 2; do curl -sSf http://public.test:8080/v1.txt; curl -sSf -d x http://public.test:8080/v1.txt; "
      "curl -sSf http://public.test:8080/v2.txt\n" +
          kNoProxy + "done");
  EXPECT_EQ(job.ended.out, "one\none\n") << job.ended.err;
  EXPECT_THAT(outside.Arrived("http"),
              ElementsAre("http public.test:8080 GET /v1.txt", "http public.test:8080 GET /v1.txt"));
}

TEST(NetClients, PythonUrllib) {
  WRIT_NEEDS_CLIENTS();
  const Outside outside;
  outside.Serve("f.txt", "from outside");
  const std::string fetch = R"(/usr/bin/python3 -c '
import ssl, urllib.request
context = ssl.create_default_context(cafile="/in/cert.pem")
print(urllib.request.urlopen("http://public.test:8080/f.txt", timeout=30).read().decode())
print(urllib.request.urlopen("https://public.test:8443/f.txt", timeout=30, context=context).read().decode())'
)";
  const Job job =
      RunJob(outside, {"--net", "public.test", "--input", outside.File("cert.pem")}, fetch + kNoProxy + fetch);
  EXPECT_EQ(job.ended.status, 0) << job.ended.err;
  EXPECT_EQ(job.ended.out, "from outside\nfrom outside\nfrom outside\nfrom outside\n");
  EXPECT_THAT(job.attempts(), ElementsAre("public.test:8080 http allowed egress.rules[0] public.test",
                                          "public.test:8443 connect allowed egress.rules[0] public.test",
                                          "public.test:8080 transparent allowed egress.rules[0] public.test",
                                          "public.test:8443 transparent allowed egress.rules[0] public.test"));
}

TEST(NetClients, GitClonesOverHttpAndHttps) {
  WRIT_NEEDS_CLIENTS("/usr/bin/git");
  const Outside outside;
  const std::string repository = outside.File("repositories/r.git");
  const auto made = outside.Host({"/bin/sh", "-c",
                                  "set -e; git init -q --bare '" + repository + "'; git init -q '" +
                                      outside.File("tree") + "'; cd '" + outside.File("tree") +
                                      "'; head -c 300000 /dev/urandom > data; echo text > readme; git add .; "
                                      "git -c user.name=a -c user.email=a@b.test commit -qm one; git push -q '" +
                                      repository + "' HEAD:refs/heads/main"});
  ASSERT_EQ(made.status, 0) << made.err;
  const std::string clone =
      "git clone -q -b main http://public.test:8080/git/r.git \"$1\" && git clone -q -b main "
      "https://public.test:8443/git/r.git \"$1-secure\" && cat \"$1-secure/readme\"\n";
  const Job job = RunJob(
      outside, {"--net", "public.test", "--input", outside.File("cert.pem"), "--env", "GIT_SSL_CAINFO=/in/cert.pem"},
      "set -- proxied\n" + clone + kNoProxy + "set -- direct\n" + clone);
  EXPECT_EQ(job.ended.status, 0) << job.ended.err;
  EXPECT_EQ(job.ended.out, "text\ntext\n");
  EXPECT_THAT(job.attempts(), Each(AnyOf(HasSubstr(" allowed egress.rules[0] public.test"), StartsWith("writ:0 dns"))))
      << "git asks who it is";
  const auto use = job.UseOf("public.test", 8443);
  ASSERT_TRUE(use.has_value()) << job.Receipt("network");
  EXPECT_GT(use->bytes_in, 2 * 300'000u) << "what cannot be compressed is counted in full";
}

TEST(NetClients, OpensslThroughConnectAndWithoutProxy) {
  WRIT_NEEDS_CLIENTS();
  const Outside outside;
  outside.Serve("f.txt", "from outside\n");
  const std::string ask =
      "printf 'GET /f.txt HTTP/1.1\\r\\nHost: public.test\\r\\nConnection: close\\r\\n\\r\\n' | openssl s_client "
      "-quiet "
      "-verify_return_error -CAfile /in/cert.pem -servername public.test -connect public.test:8443 ";
  const Job job = RunJob(outside, {"--net", "public.test:8443", "--input", outside.File("cert.pem")},
                         ask + "-proxy 127.0.0.1:3128 | tail -n 1; " + ask + "| tail -n 1");
  EXPECT_EQ(job.ended.out, "from outside\nfrom outside\n") << job.ended.err;
  EXPECT_THAT(job.attempts(), ElementsAre("public.test:8443 connect allowed egress.rules[0] public.test:8443",
                                          "public.test:8443 transparent allowed egress.rules[0] public.test:8443"));
  EXPECT_THAT(outside.Arrived("tls"), ElementsAre("tls public.test", "tls public.test"));
}

TEST(NetClients, NodeFetch) {
  WRIT_NEEDS_CLIENTS("/usr/bin/node");
  const Outside outside;
  outside.Serve("f.txt", "from outside");
  for (const auto& word : outside.accept()) {
    if (word == "memory=rlimit")
      GTEST_SKIP() << "memory is limited by address space here, and node reserves more of it";
  }
  const Job job =
      RunJob(outside,
             {"--net", "public.test", "--input", outside.File("cert.pem"), "--env", "NODE_EXTRA_CA_CERTS=/in/cert.pem"},
             R"(node -e '
(async () => {
  for (const url of ["http://public.test:8080/f.txt", "https://public.test:8443/f.txt", "http://other.test:8080/f.txt"])
    console.log(await fetch(url).then(answer => answer.text(), error => `failed ${error.cause?.code}`));
})()')");
  EXPECT_EQ(job.ended.out, "from outside\nfrom outside\nfailed ENOTFOUND\n") << job.ended.err;
  EXPECT_THAT(job.attempts(), ElementsAre("public.test:8080 transparent allowed egress.rules[0] public.test",
                                          "public.test:8443 transparent allowed egress.rules[0] public.test",
                                          "other.test:0 dns blocked default"));
}

TEST(NetClients, GrpcOverTls) {
  WRIT_NEEDS_CLIENTS();
  const Outside outside;
  if (outside.Host({"/usr/bin/python3", "-c", "import grpc"}).status != 0)
    GTEST_SKIP() << "python3-grpcio is not installed";
  const std::string call = R"(/usr/bin/python3 -c '
import grpc
credentials = grpc.ssl_channel_credentials(open("/in/cert.pem", "rb").read())
with grpc.secure_channel("public.test:8444", credentials) as channel:
    print(channel.unary_unary("/writ.Test/Echo")(b"text", timeout=60).decode())'
)";
  const Job job =
      RunJob(outside, {"--net", "public.test:8444", "--input", outside.File("cert.pem")}, call + kNoProxy + call);
  EXPECT_EQ(job.ended.out, "echo of text\necho of text\n") << job.ended.err;
  EXPECT_THAT(job.attempts(), AllOf(Contains("public.test:8444 connect allowed egress.rules[0] public.test:8444"),
                                    Contains("public.test:8444 transparent allowed egress.rules[0] public.test:8444")));
}

TEST(NetClients, AStaticProgramThatKnowsNoProxy) {
  WRIT_NEEDS_CLIENTS();
  const Outside outside;
  outside.Serve("f.txt", "from outside");
  const std::string get = " tcp 93.184.215.14 8080 'GET /f.txt HTTP/1.0\r\nHost: 93.184.215.14\r\n\r\n'\n";
  const std::string guest = WRIT_BIN_DIR "/guests/dial";
  const Job job = RunJob(outside, {"--net", "93.184.215.14:8080", "--input", guest}, "/in/dial" + get);
  EXPECT_EQ(job.ended.status, 0) << job.ended.out;
  EXPECT_THAT(job.ended.out, AllOf(StartsWith("dial: reached HTTP/1.1 200"), HasSubstr("from outside")));
  EXPECT_THAT(job.attempts(), ElementsAre("93.184.215.14:8080 transparent allowed egress.rules[0] 93.184.215.14:8080"));
}

TEST(NetClients, ANameOfALoopbackAddressNeedsTheAddressToo) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("f.txt", "from outside\n");
  const std::string fetch = kProxyForAll +
                            "curl -sSf http://localhost:8080/f.txt; curl -sSf http://loop.test:8080/f.txt; curl -sSf "
                            "http://127.0.0.1:8080/f.txt";
  const Job named = RunJob(outside, {"--net", "localhost:8080", "--net", "loop.test"}, fetch);
  EXPECT_EQ(named.ended.out, "");
  EXPECT_THAT(named.attempts(), AllOf(Contains("localhost:8080 http blocked address-class"),
                                      Contains("loop.test:8080 http blocked address-class"),
                                      Contains("127.0.0.1:8080 http blocked address-class")));
  EXPECT_THAT(outside.Arrived(""), IsEmpty());
  const Job granted =
      RunJob(outside, {"--net", "localhost:8080", "--net", "loop.test", "--net", "127.0.0.1:8080"}, fetch);
  EXPECT_EQ(granted.ended.out, "from outside\nfrom outside\nfrom outside\n") << granted.ended.err;
}

}  // namespace
}  // namespace writ::net_test

// HTTP/2 inside interception, with clients that people use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "matchers.h"
#include "outside.h"

namespace writ::net_test {
namespace {

/// A secret that is bound to public.test.
void SetSecret(const Outside& outside) {
  std::ofstream(outside.File("token")) << kSecretValue;
  const auto set = outside.Writ({"secret", "set", "TOKEN", "--host", "public.test", "--from", "file:" + outside.File("token")});
  ASSERT_EQ(set.status, 0) << set.err;
}

TEST(NetHttp2, CurlIsJudgedStreamByStream) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl", "/usr/bin/node");
  const Outside outside;
  const std::string fetch = "curl -sS --http2 -w ' over %{http_version}\\n' https://public.test:8445/ok/1 https://public.test:8445/no "
                            "https://public.test:8445/ok/2\n";
  const Job job = RunJob(outside, {"--net-rule", "public.test:8445 GET /ok/*"}, fetch + kNoProxy + fetch);
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("/ok/1 over 2\n"), HasSubstr("/ok/2 over 2\n"), HasSubstr("smallest grant"))) << job.ended.err;
  EXPECT_THAT(outside.Arrived("h"), AllOf(testing::SizeIs(4), Each(StartsWith("h2 public.test:8445 GET /ok/"))));
  EXPECT_THAT(job.attempts(), Contains(HasSubstr("public.test:8445 transparent blocked")));
  EXPECT_THAT(job.Receipt("network"), HasSubstr(R"("intercepted":["h2"])"));
}

TEST(NetHttp2, TheEvidenceSaysWhatWasReadAndUnderWhichAuthority) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl", "/usr/bin/node");
  const Outside outside;
  const Job job = RunJob(outside, {"--net-rule", "public.test:8445 GET /**", "--net", "public.test:8443"},
                         "for version in --http2 --http1.1 --http2; do curl -sS -o /dev/null $version https://public.test:8445/; done\n"
                         R"(/usr/bin/python3 -c '
import hashlib, os, ssl
last = "-----BEGIN" + open(os.environ["SSL_CERT_FILE"]).read().split("-----BEGIN")[-1]
print(hashlib.sha256(ssl.PEM_cert_to_DER_cert(last)).hexdigest())')");
  ASSERT_EQ(job.ended.status, 0) << job.ended.err;
  const std::string authority = job.ended.out.substr(0, 64);
  const std::string bundle = canon::Compact(job.bundle);
  for (const std::string alpn : {"h2", "http/1.1"}) {
    const std::string event = fmt::format(R"("writ":{{"v":1,"host":"public.test","port":8445,"alpn":"{}","authority":"{}")", alpn, authority);
    EXPECT_NE(bundle.find(event), std::string::npos) << event;
    EXPECT_EQ(bundle.find(event), bundle.rfind(event)) << "once: " << event;
  }
  EXPECT_THAT(job.Receipt("network"), HasSubstr(R"("intercepted":["h2","http/1.1"])"));
  EXPECT_THAT(job.Receipt("enforced"), HasSubstr("\"interception\":\"run-authority sha256:" + authority + "\""));
}

TEST(NetHttp2, CurlUploadsAndSecretsArePutIn) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl", "/usr/bin/node");
  const Outside outside;
  ASSERT_NO_FATAL_FAILURE(SetSecret(outside));
  const Job job = RunJob(outside, {"--net", "public.test", "--secret", "TOKEN"},
                         "head -c 3000000 /dev/zero | tr '\\0' x > body; echo $TOKEN >> body\n"
                         "curl -sS --http2 -D - -H \"X-Key: $TOKEN\" --data-binary @body https://public.test:8445/up/$TOKEN > got\n"
                         "grep -c '^HTTP/2 200' got; wc -c < body; tail -c 55 got; grep '^x-key' got");
  EXPECT_THAT(outside.Arrived("h2"), Contains("h2 public.test:8445 POST /up/" + kSecretValue));
  EXPECT_THAT(job.ended.out, AllOf(StartsWith("1\n30000"), HasSubstr("x-key: writ-secret-TOKEN-"), Not(HasSubstr(kSecretValue)))) << job.ended.err;
  EXPECT_THAT(canon::Compact(job.bundle), Not(HasSubstr(kSecretValue)));
}

TEST(NetHttp2, NghttpOpensManyStreams) {
  WRIT_NEEDS_CLIENTS("/usr/bin/nghttp", "/usr/bin/node");
  const Outside outside;
  const Job job = RunJob(outside, {"--net-rule", "public.test:8445 GET /ok/*"},
                         kNoProxy + "nghttp -m 50 https://public.test:8445/ok/a https://public.test:8445/ok/b https://public.test:8445/no");
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("/ok/a"), HasSubstr("/ok/b"), HasSubstr("smallest grant"))) << job.ended.err;
  EXPECT_THAT(outside.Arrived("h2"), AllOf(testing::SizeIs(100), Each(HasSubstr(" GET /ok/"))));
}

TEST(NetHttp2, GrpcUnaryAndStreaming) {
  WRIT_NEEDS_CLIENTS();
  const Outside outside;
  if (outside.Host({"/usr/bin/python3", "-c", "import grpc"}).status != 0)
    GTEST_SKIP() << "python3-grpcio is not installed";
  ASSERT_NO_FATAL_FAILURE(SetSecret(outside));
  const std::string call = R"(/usr/bin/python3 -c '
import grpc, os
credentials = grpc.ssl_channel_credentials()
key = (("x-key", os.environ["TOKEN"]),)
with grpc.secure_channel("public.test:8444", credentials) as channel:
    answer, call = channel.unary_unary("/writ.Test/Echo").with_call(b"text", timeout=60, metadata=key)
    print(answer.decode(), dict(call.trailing_metadata())["x-sum"])
    heard = channel.stream_stream("/writ.Test/Talk")(iter([b"1", b"2" * 200000, b"3"]), timeout=60, metadata=key)
    print([len(piece) for piece in heard])
    try:
        channel.unary_unary("/writ.Other/Echo")(b"text", timeout=60)
    except grpc.RpcError as error:
        print(error.code().name)'
)";
  const Job job = RunJob(outside, {"--net-rule", "public.test:8444 POST /writ.Test/*", "--secret", "TOKEN"}, call + kNoProxy + call);
  const std::string one = "echo of text 4\n[7, 200006, 7]\nPERMISSION_DENIED\n";
  EXPECT_EQ(job.ended.out, one + one) << job.ended.err;
  EXPECT_THAT(outside.Arrived("grpc"), AllOf(testing::SizeIs(4), Each(HasSubstr(" " + kSecretValue))));
}

TEST(NetHttp2, WebSocketPassesOverHttp1) {
  WRIT_NEEDS_CLIENTS("/usr/bin/node");
  const Outside outside;
  const Job job = RunJob(outside, {"--net-rule", "public.test:8445 GET /echo"}, R"(/usr/bin/python3 -c '
import os, socket, ssl
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
context.set_alpn_protocols(["http/1.1"])
with context.wrap_socket(socket.create_connection(("public.test", 8445), 60), server_hostname="public.test") as secure:
    secure.sendall(b"GET /echo HTTP/1.1\r\nHost: public.test:8445\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    file = secure.makefile("rb")
    print(file.readline().decode().strip())
    while file.readline().strip():
        pass
    secure.sendall(b"there and back")
    print(file.read(14).decode())'
)");
  EXPECT_EQ(job.ended.out, "HTTP/1.1 101 Switching Protocols\nthere and back\n") << job.ended.err;
}

}  // namespace
}  // namespace writ::net_test

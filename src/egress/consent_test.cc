#include "egress/consent.h"

#include <gtest/gtest.h>

namespace writ::egress {
namespace {

TEST(Consent, AsksByNameAndWithBrackets) {
  policy::EgressTarget target;
  target.host = *net::NormaliseHost("Example.ORG");
  target.port = 443;
  EXPECT_EQ(AskForTunnel(target, ""), "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
  target.host = *net::NormaliseHost("[2001:db8::1]");
  EXPECT_EQ(AskForTunnel(target, "Basic eA=="),
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\nProxy-Authorization: Basic eA==\r\n\r\n");
}

TEST(Consent, ReadsTheAnswerAtEveryCut) {
  const std::string answer = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
  for (std::size_t cut = 0; cut < answer.size(); ++cut) EXPECT_EQ(*ReadTunnelConsent(answer.substr(0, cut)), 0U);
  EXPECT_EQ(*ReadTunnelConsent(answer + "SSH-2.0"), answer.size());
  EXPECT_EQ(*ReadTunnelConsent("HTTP/1.0 204\r\n\r\n"), 16U);
}

TEST(Consent, RefusalsAndNonsense) {
  EXPECT_EQ(ReadTunnelConsent("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").error().code, Code::kDenied);
  for (const char* text : {"HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n",
                           "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n"}) {
    const auto read = ReadTunnelConsent(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Code::kUnavailable) << text;
  }
  EXPECT_FALSE(ReadTunnelConsent(std::string(kConsentBytesMax, 'x')));
}

}  // namespace
}  // namespace writ::egress

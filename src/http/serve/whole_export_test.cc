#include "http/serve/whole_export.h"

#include <gtest/gtest.h>

#include "api/plane/route.h"

namespace writ::http {
namespace {

/// A plane that gives its lines one by one.
void OneByOne(int lines, const api::PlaneCall& call, WholeExport::Reply& reply) {
  int at = 0;
  for (const auto& [name, value] : call.query) at = name == "cursor" ? std::stoi(value) : at;
  api::PlaneReply part{.content_type = "application/x-ndjson", .body = "line " + std::to_string(at) + "\n"};
  if (at + 1 < lines) part.headers.emplace_back(api::kNextCursorHeader, std::to_string(at + 1));
  reply(std::move(part));
}

api::PlaneReply Ask(int lines, std::size_t bytes_max) {
  api::PlaneReply got;
  WholeExport::Start([lines](const api::PlaneCall& call, WholeExport::Reply reply) { OneByOne(lines, call, reply); },
                     {.method = "GET", .path = "/v1/export"}, [&got](api::PlaneReply reply) { got = std::move(reply); }, bytes_max);
  return got;
}

TEST(WholeExport, JoinsEveryPart) {
  const auto got = Ask(3, 1000);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "line 0\nline 1\nline 2\n");
  EXPECT_TRUE(got.headers.empty());
}

TEST(WholeExport, ALongerOneSaysHowToAskForParts) {
  const auto got = Ask(3, 20);
  EXPECT_EQ(got.status, 413);
  EXPECT_NE(got.body.find("limit and cursor"), std::string::npos);
}

TEST(WholeExport, WhoAsksForPartsGetsThem) {
  EXPECT_TRUE(WholeExport::Wants({.method = "GET", .path = "/v1/export", .query = {{"since", "x"}}}));
  EXPECT_FALSE(WholeExport::Wants({.method = "GET", .path = "/v1/export", .query = {{"limit", "5"}}}));
  EXPECT_FALSE(WholeExport::Wants({.method = "GET", .path = "/v1/runs"}));
}

}  // namespace
}  // namespace writ::http

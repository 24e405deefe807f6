#include "egress/body_flow.h"

#include <gtest/gtest.h>

namespace writ::egress {
namespace {

using net::BodyFraming;

/// Passes `in` on in pieces of `piece` bytes; "broken" when it is.
std::string Pass(BodyFlow& flow, std::string_view in, std::size_t piece, std::string* rest = nullptr) {
  std::string out, waiting;
  while (!in.empty() && !flow.done()) {
    waiting += in.substr(0, piece);
    in.remove_prefix(std::min(piece, in.size()));
    const auto used = flow.Take(waiting, out);
    if (!used) return "broken";
    waiting.erase(0, *used);
  }
  if (rest != nullptr) *rest = waiting + std::string(in);
  return out;
}

TEST(BodyFlow, LengthsEndTheBody) {
  for (const std::size_t piece : {1U, 3U, 100U}) {
    BodyFlow flow({BodyFraming::kLength, 5});
    std::string rest;
    EXPECT_EQ(Pass(flow, "helloGET / HTTP/1.1", piece, &rest), "hello");
    EXPECT_TRUE(flow.done());
    EXPECT_EQ(rest, "GET / HTTP/1.1");
  }
  EXPECT_TRUE(BodyFlow({BodyFraming::kLength, 0}).done());
  EXPECT_TRUE(BodyFlow().done());
}

TEST(BodyFlow, ChunksAreWrittenAnew) {
  for (const std::size_t piece : {1U, 2U, 7U, 100U}) {
    BodyFlow flow({BodyFraming::kChunked, 0});
    std::string rest;
    const std::string out = Pass(flow, "05;x=\"y\"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\nNEXT", piece, &rest);
    EXPECT_TRUE(flow.done());
    EXPECT_TRUE(out.ends_with("0\r\nX-Sum: 1\r\n\r\n")) << out;
    EXPECT_EQ(out.find("x="), std::string::npos);
    EXPECT_EQ(rest, "NEXT");
  }
}

TEST(BodyFlow, Attack23_BrokenChunksEndIt) {
  for (const char* body : {"5\nhello\r\n0\r\n\r\n", "-1\r\n", "5 \r\nhello\r\n", "0x5\r\nhello\r\n", "5\r\nhelloX\r\n",
                           "fffffffffffffffff\r\n", "0\r\nContent-Length: 5\r\n\r\n"}) {
    BodyFlow flow({BodyFraming::kChunked, 0});
    EXPECT_EQ(Pass(flow, body, 100), "broken") << body;
  }
}

TEST(BodyFlow, UntilCloseNeverEndsByItself) {
  BodyFlow flow({BodyFraming::kUntilClose, 0});
  EXPECT_EQ(Pass(flow, "anything", 3), "anything");
  EXPECT_FALSE(flow.done());
  EXPECT_TRUE(flow.EndsHere());
}

}  // namespace
}  // namespace writ::egress

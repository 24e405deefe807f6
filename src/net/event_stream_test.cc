#include "net/event_stream.h"

#include <gtest/gtest.h>

#include <vector>

namespace writ::net {
namespace {

std::vector<std::string> Read(std::string_view text, std::size_t piece) {
  std::vector<std::string> events;
  EventStreamReader reader;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const auto more = reader.Push(text.substr(at, piece), [&](const ServerEvent& event) -> Result<bool> {
      events.push_back(event.id + "|" + event.name + "|" + event.data);
      return true;
    });
    EXPECT_TRUE(more && *more);
  }
  return events;
}

TEST(EventStream, AnyCutGivesTheSameEvents) {
  const std::string_view text =
      "\xef\xbb\xbf: hello\n\ndata: one\n\nid: 7\nevent: entry\ndata: a\ndata:b\r\n\r\ndata\r\rid\ndata:  two\n\nretry: 3\nnothing\n\n"
      "data: cut off";
  const std::vector<std::string> wanted = {"|message|one", "7|entry|a\nb", "7|message|", "|message| two"};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) EXPECT_EQ(Read(text, piece), wanted) << piece;
}

TEST(EventStream, AnEventIsBounded) {
  EventStreamReader reader;
  const std::string line = "data: " + std::string(1 << 20, 'x') + "\n";
  const EventSink none = [](const ServerEvent&) -> Result<bool> { return true; };
  Result<bool> more = true;
  int lines = 0;
  for (; more && lines < 10; ++lines) more = reader.Push(line, none);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kExhausted);
  EXPECT_LE(lines, 4);
  EventStreamReader endless;  // one line without an end
  more = true;
  for (lines = 0; more && lines < 10; ++lines) more = endless.Push(std::string(1 << 20, 'x'), none);
  EXPECT_FALSE(more);
}

TEST(EventStream, TheSinkEndsItOrFailsIt) {
  EventStreamReader reader;
  const auto ended = reader.Push("data: a\n\ndata: b\n\n", [](const ServerEvent& event) -> Result<bool> {
    EXPECT_EQ(event.data, "a");
    return false;
  });
  ASSERT_TRUE(ended);
  EXPECT_FALSE(*ended);
  EventStreamReader other;
  EXPECT_EQ(other.Push("data: a\n\n", [](const ServerEvent&) -> Result<bool> { return Fail(Code::kDenied, "no"); }).error().code, Code::kDenied);
}

}  // namespace
}  // namespace writ::net

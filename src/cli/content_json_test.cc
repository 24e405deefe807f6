#include "cli/content_json.h"

#include <gtest/gtest.h>

namespace writ::cli {
namespace {

using canon::Json;

TEST(ContentJson, TextAndBytes) {
  EXPECT_EQ(ContentJson("hi\n", 3), Json::Of({{"bytes", 3}, {"encoding", "utf-8"}, {"data", "hi\n"}}));
  EXPECT_EQ(ContentJson("\xff\x00", 1), Json::Of({{"bytes", 1}, {"encoding", "base64"}, {"data", "/w=="}}));
  EXPECT_EQ(ContentJson(std::string_view("\0\0", 2), 2), Json::Of({{"bytes", 2}, {"encoding", "base64"}, {"data", "AAA="}}));
  EXPECT_EQ(ContentJson("\x1b[0m", 4), Json::Of({{"bytes", 4}, {"encoding", "utf-8"}, {"data", "\x1b[0m"}}));
  EXPECT_EQ(ContentJson("", 0), Json::Of({{"bytes", 0}, {"encoding", "utf-8"}, {"data", ""}}));
}

TEST(ContentJson, CutsBetweenCharacters) {
  EXPECT_EQ(ContentJson("a\xe2\x82", 9), Json::Of({{"bytes", 9}, {"encoding", "utf-8"}, {"data", "a"}, {"cut", true}}));
  EXPECT_EQ(ContentJson("\xff\xff", 9), Json::Of({{"bytes", 9}, {"encoding", "base64"}, {"data", "//8="}, {"cut", true}}));
}

}  // namespace
}  // namespace writ::cli

#include "base/units.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(ParseSize, Table) {
  struct Case { const char* text; std::uint64_t bytes; };
  const Case cases[] = {
      {"1", 1}, {"512", 512}, {"1K", 1024}, {"1k", 1024}, {"16M", 16u << 20}, {"16MiB", 16u << 20},
      {"3G", 3ull << 30}, {"2T", 2ull << 40}, {"9223372036854775807", 9223372036854775807ull},
      {"8388607T", 8388607ull << 40},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto size = ParseSize(c.text);
    ASSERT_TRUE(size.has_value()) << size.error().what;
    EXPECT_EQ(*size, c.bytes);
  }
}

TEST(ParseSize, RefusesWhatIsNotASize) {
  for (const char* text : {"", "0", "0K", "00", "-1", "+1", " 1", "1 ", "1.5G", "1Kb", "1KiBs", "K", "1KK", "1X", "0x10",
                           "1e3", "9223372036854775808", "8388608T", "99999999999999999999999"}) {
    SCOPED_TRACE(text);
    const auto size = ParseSize(text);
    ASSERT_FALSE(size.has_value());
    EXPECT_EQ(size.error().code, Code::kInvalid);
  }
}

TEST(ParseSize, MessageShowsNoControlCharacter) {
  const auto size = ParseSize("\x1b]52;c;evil\a");
  ASSERT_FALSE(size.has_value());
  EXPECT_EQ(size.error().what.find('\x1b'), std::string::npos);
  EXPECT_NE(size.error().what.find("for example 64M"), std::string::npos);
}

TEST(ParseDuration, Table) {
  struct Case { const char* text; std::int64_t ms; };
  const Case cases[] = {
      {"1", 1000}, {"90", 90'000}, {"250ms", 250}, {"1s", 1000}, {"1m30s", 90'000}, {"2h", 7'200'000},
      {"1h1m1s1ms", 3'661'001}, {"10000h", 36'000'000'000},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto span = ParseDuration(c.text);
    ASSERT_TRUE(span.has_value()) << span.error().what;
    EXPECT_EQ(span->count(), c.ms);
  }
}

TEST(ParseDuration, RefusesWhatIsNotASpan) {
  for (const char* text : {"", "0", "0s", "0h0m", "-1s", "1d", "1s1m", "1s1s", "s", "1m30", "1.5s", " 1s", "1s ", "10001h",
                           "10000h1ms", "99999999999999999999s", "18446744073709551615h", "1S"}) {
    SCOPED_TRACE(text);
    const auto span = ParseDuration(text);
    ASSERT_FALSE(span.has_value());
    EXPECT_EQ(span.error().code, Code::kInvalid);
  }
}

TEST(ParseCount, KeepsTheBound) {
  EXPECT_EQ(ParseCount("64K", 1u << 20).value(), 65536u);
  EXPECT_EQ(ParseCount("1024", 1024).value(), 1024u);
  EXPECT_FALSE(ParseCount("1025", 1024).has_value());
  EXPECT_FALSE(ParseCount("2K", 1024).has_value());
  EXPECT_FALSE(ParseCount("0", 1024).has_value());
}

TEST(ParseCores, Table) {
  EXPECT_EQ(ParseCores("2").value(), 2000u);
  EXPECT_EQ(ParseCores("0.5").value(), 500u);
  EXPECT_EQ(ParseCores("1.125").value(), 1125u);
  EXPECT_EQ(ParseCores("4096").value(), 4'096'000u);
  for (const char* text : {"", "0", "0.0", ".5", "1.", "1.2345", "-1", "4096.001", "4097", "1,5", "two"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(ParseCores(text).has_value());
  }
}

TEST(Format, ReadsBack) {
  for (const std::uint64_t bytes : {1ull, 1023ull, 1024ull, 16ull << 20, 1ull << 30, 5ull << 40}) {
    EXPECT_EQ(ParseSize(FormatSize(bytes)).value(), bytes);
  }
  for (const std::int64_t ms : {1ll, 999ll, 1000ll, 61'001ll, 36'000'000'000ll}) {
    EXPECT_EQ(ParseDuration(FormatDuration(Millis{ms})).value().count(), ms);
  }
  for (const std::uint32_t cores : {1u, 500u, 2000u, 1125u}) EXPECT_EQ(ParseCores(FormatCores(cores)).value(), cores);
  EXPECT_EQ(FormatSize(0), "0");
  EXPECT_EQ(FormatSize(1536), "1.5K");
  EXPECT_EQ(FormatDuration(Millis{0}), "0s");
  EXPECT_EQ(FormatCores(2000), "2");
}

}  // namespace
}  // namespace writ

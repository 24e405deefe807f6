#include "storage/event_page.h"

#include <gtest/gtest.h>

namespace writ::storage {
namespace {

TEST(EventTimestamp, IsTheFirstTopLevelMember) {
  struct Case {
    const char* why;
    std::string_view text, timestamp;
  };
  const Case cases[] = {
      {"first member", R"({"ts":"2026-01-02T03:04:05.678Z","seq":0})", "2026-01-02T03:04:05.678Z"},
      {"canonical order", R"({"event":{"type":"x"},"hash":"h","prev":"p","seq":0,"ts":"T","version":"v"})", "T"},
      {"white space", " \n{ \"a\" : [ 1 , 2 ] ,\t\"ts\"\r: \"T\" } ", "T"},
      {"not one further in", R"({"event":{"ts":"inner"},"ts":"T"})", "T"},
      {"not one in a list", R"({"a":[{"ts":"inner"},"ts","x"],"ts":"T"})", "T"},
      {"not a value", R"({"a":"ts","b":"ts:","ts":"T"})", "T"},
      {"not in a string", R"({"a":"\"ts\":\"no\"","b":"{\\","ts":"T"})", "T"},
      {"the first of two", R"({"ts":"T","ts":"U"})", "T"},
      {"none", R"({"a":"b"})", ""},
      {"only inside", R"({"event":{"ts":"inner"}})", ""},
      {"a longer key", R"({"tst":"T","t":"T","":"T"})", ""},
      {"a number", R"({"ts":5,"a":"T"})", ""},
      {"an object", R"({"ts":{"ts":"T"}})", ""},
      {"an escape in it", R"({"ts":"T\u0041"})", ""},
      {"empty", R"({"ts":""})", ""},
      {"a list at the top", R"(["ts","T"])", ""},
      {"after the end", R"({} "ts":"T")", ""},
      {"nothing", "", ""},
      {"cut off", R"({"ts)", ""},
      {"cut off after the key", R"({"ts")", ""},
      {"cut off after the colon", R"({"ts": )", ""},
      {"cut off in the value", R"({"ts":"T)", ""},
      {"cut off after a backslash", "{\"a\\", ""},
      {"no object", "event 5", ""},
      {"closed too often", R"(}}{"ts":"T"})", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(EventTimestamp(c.text), c.timestamp);
  }
}

TEST(EventTimestamp, TakesTimeInProportionToItsInput) {
  // Quotes behind many backslashes, and deep nesting: each byte is looked at a bounded number of times.
  std::string text = "{\"a\":\"";
  for (int i = 0; i < 100'000; ++i) text += R"(\\\")";
  EXPECT_EQ(EventTimestamp(text + R"(","ts":"T"})"), "T");
  EXPECT_EQ(EventTimestamp("{\"a\":" + std::string(1'000'000, '[')), "");
}

}  // namespace
}  // namespace writ::storage

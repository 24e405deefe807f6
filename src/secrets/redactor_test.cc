#include "secrets/redactor.h"

#include <gtest/gtest.h>

#include <random>

namespace writ::secrets {
namespace {

using Patterns = std::shared_ptr<const RedactionPatterns>;

Patterns Make(const std::vector<std::pair<std::string, std::string>>& values) {
  std::vector<RedactedValue> given;
  for (const auto& [name, value] : values) given.push_back({name, AsBytes(value)});
  return RedactionPatterns::Make(given).value();
}

std::string InPieces(const Patterns& patterns, std::string_view text, std::size_t piece) {
  std::string out;
  Redactor redactor(patterns);
  const Redactor::Sink sink = [&](ByteView bytes) -> Result<> {
    out += AsText(bytes);
    return {};
  };
  for (std::size_t at = 0; at < text.size(); at += piece) EXPECT_TRUE(redactor.Write(AsBytes(text.substr(at, piece)), sink));
  EXPECT_TRUE(redactor.Finish(sink));
  return out;
}

std::string Everywhere(const Patterns& patterns, std::string_view text) {
  const std::string whole = RedactText(patterns, text);
  for (const std::size_t piece : {1, 2, 3, 7}) EXPECT_EQ(InPieces(patterns, text, piece), whole) << "pieces of " << piece;
  return whole;
}

const std::string kToken = "s3cr3t/t?ken+ \"v\\1\"";

TEST(Redactor, ReplacesEveryFormOfAValue) {
  const Patterns patterns = Make({{"TOKEN", kToken}});
  std::string upper = HexEncode(AsBytes(kToken));
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string& form :
       {kToken, HexEncode(AsBytes(kToken)), upper, std::string("s3cr3t%2Ft%3Fken%2B%20%22v%5C1%22"),
        std::string("s3cr3t%2ft%3fken%2b%20%22v%5c1%22"), std::string("s3cr3t%2Ft%3Fken%2B+%22v%5C1%22"),
        std::string("s3cr3t/t?ken+%20%22v%5C1%22"), std::string("s3cr3t/t?ken+ \\\"v\\\\1\\\""),
        std::string("s3cr3t\\/t?ken+ \\\"v\\\\1\\\"")}) {
    EXPECT_EQ(Everywhere(patterns, "a " + form + " b"), "a [redacted:TOKEN] b") << form;
  }
}

TEST(Redactor, FindsBase64AtEveryAlignmentAndLeavesNoDigitOfIt) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string value(4 + random() % 40, '\0'), before(random() % 7, '\0'), after(random() % 7, '\0');
    for (std::string* text : {&value, &before, &after}) {
      for (char& c : *text) c = static_cast<char>(random());
    }
    const Patterns patterns = Make({{"K", value}});
    for (const bool url : {false, true}) {
      const std::string all = before + value + after;
      const std::string text = url ? Base64UrlEncode(AsBytes(all)) : Base64Encode(AsBytes(all));
      const std::string left = Everywhere(patterns, text);
      const std::size_t mark = left.find("[redacted:K]");
      ASSERT_NE(mark, std::string::npos);
      // What is left in front are whole digits of what stood in front, and the same behind.
      EXPECT_LE(mark * 6, before.size() * 8);
      const std::size_t behind = left.size() - mark - std::string_view("[redacted:K]").size();
      const std::size_t padding = static_cast<std::size_t>(std::count(left.begin(), left.end(), '='));
      EXPECT_LE((behind - padding) * 6, after.size() * 8 + 5);
    }
  }
}

TEST(Redactor, OverlappingValuesLeaveNoRemnant) {
  const Patterns patterns = Make({{"A", "abcdef"}, {"B", "defghi"}, {"C", "cdef"}, {"D", "abcdefgh"}});
  EXPECT_EQ(Everywhere(patterns, "xabcdefghiy"), "x[redacted:D]y");
  EXPECT_EQ(Everywhere(patterns, "xabcdefy"), "x[redacted:A]y");
  EXPECT_EQ(Everywhere(patterns, "xcdefy"), "x[redacted:C]y");
  EXPECT_EQ(Everywhere(patterns, "xcdefghiy"), "x[redacted:C]y");
  EXPECT_EQ(Everywhere(patterns, "abcdefabcdef"), "[redacted:A][redacted:A]");
  const Patterns same = Make({{"A", "aaaa"}});
  EXPECT_EQ(Everywhere(same, "baaaab"), "b[redacted:A]b");
  EXPECT_EQ(Everywhere(same, "b" + std::string(1000, 'a') + "b"), "b[redacted:A]b");
  EXPECT_EQ(Everywhere(same, "baaab"), "baaab");
}

TEST(Redactor, HoldsBackNoMoreThanTheBeginningOfAValue) {
  const Patterns patterns = Make({{"A", "hunter2hunter2"}});
  Redactor redactor(patterns);
  std::string out;
  const Redactor::Sink sink = [&](ByteView bytes) -> Result<> {
    out += AsText(bytes);
    return {};
  };
  ASSERT_TRUE(redactor.Write(AsBytes("Name: "), sink));
  EXPECT_EQ(out, "Name: ");
  ASSERT_TRUE(redactor.Write(AsBytes("hunter2hun"), sink));
  EXPECT_EQ(out, "Name: ");
  ASSERT_TRUE(redactor.Write(AsBytes("!"), sink));
  EXPECT_EQ(out, "Name: hunter2hun!");
  // An endless overlap is not gathered up.
  const Patterns same = Make({{"A", "aaaa"}});
  Redactor endless(same);
  const std::string many(64 << 10, 'a');
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(endless.Write(AsBytes(many), sink));
  EXPECT_LE(endless.held(), 16u);
  EXPECT_EQ(endless.found(), 1u);
}

TEST(Redactor, PassesAFewHeldBytesOnWhenTheJobWaits) {
  const Patterns patterns = Make({{"A", "hunter2hunter2"}});
  Redactor redactor(patterns);
  std::string out;
  const Redactor::Sink sink = [&](ByteView bytes) -> Result<> {
    out += AsText(bytes);
    return {};
  };
  ASSERT_TRUE(redactor.Write(AsBytes("Say uh"), sink));
  ASSERT_TRUE(redactor.ReleaseFew(sink));
  EXPECT_EQ(out, "Say uh");
  ASSERT_TRUE(redactor.Write(AsBytes("unter2hunter2, hunte"), sink));
  ASSERT_TRUE(redactor.ReleaseFew(sink));
  EXPECT_EQ(out, "Say uh[redacted:A], ") << "five bytes of a value are too many";
  ASSERT_TRUE(redactor.Write(AsBytes("!"), sink));
  EXPECT_EQ(out, "Say uh[redacted:A], hunte!");
}

TEST(Redactor, CutReplacesTheBeginningOfAValueToo) {
  const Patterns patterns = Make({{"A", "hunter2hunter2"}});
  for (const auto& [text, left] : std::vector<std::pair<std::string, std::string>>{
           {"x hunter2hunter", "x [redacted:A]"}, {"x hun", "x hun"}, {"x hunt", "x [redacted:A]"}, {"x", "x"}}) {
    Redactor redactor(patterns);
    std::string out;
    const Redactor::Sink sink = [&](ByteView bytes) -> Result<> {
      out += AsText(bytes);
      return {};
    };
    ASSERT_TRUE(redactor.Write(AsBytes(text), sink));
    ASSERT_TRUE(redactor.Cut(sink));
    EXPECT_EQ(out, left);
    ASSERT_TRUE(redactor.Write(AsBytes(" hunter2hunter2 "), sink));
    EXPECT_EQ(out, left + " [redacted:A] ");
  }
}

TEST(Redactor, BytesThatAreNotUtf8Survive) {
  const Patterns patterns = Make({{"A", "\xff\xfe\x80key"}});
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(Everywhere(patterns, all), all);
  EXPECT_EQ(Everywhere(patterns, "\xc3\x28 \xff\xfe\x80key \xed\xa0\x80"), "\xc3\x28 [redacted:A] \xed\xa0\x80");
}

TEST(Redactor, LinesOfAKeyAreFoundInAPatch) {
  const Patterns patterns = Make({{"KEY", "-----BEGIN KEY-----\nMIIBVQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"}});
  EXPECT_EQ(Everywhere(patterns, "+-----BEGIN KEY-----\n+MIIBVQIBADANBgkq\n+hkiG9w0BAQEFAASC\n+-----END KEY-----\n"),
            "+-----BEGIN KEY-----\n+[redacted:KEY]\n+[redacted:KEY]\n+-----END KEY-----\n");
}

TEST(Redactor, AgreesWithASlowOneOnRandomText) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::pair<std::string, std::string>> values;
    for (int i = 0; i < 3; ++i) {
      std::string value(4 + random() % 4, 'x');
      for (char& c : value) c = "ab"[random() % 2];
      values.emplace_back(std::string(1, static_cast<char>('A' + i)), value);
    }
    std::string text(random() % 60, 'x');
    for (char& c : text) c = "abc"[random() % 3];
    std::vector<bool> covered(text.size(), false);
    for (const auto& [name, value] : values) {
      for (std::size_t at = text.find(value); at != text.npos; at = text.find(value, at + 1)) {
        std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(at), value.size(), true);
      }
    }
    std::string kept, left = Everywhere(Make(values), text);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!covered[i]) kept += text[i];
    }
    for (std::size_t at = left.find("[redacted:"); at != left.npos; at = left.find("[redacted:")) left.erase(at, 12);
    EXPECT_EQ(left, kept) << text;
  }
}

TEST(Redactor, BoundsAndNothingToFind) {
  const std::string large(kRedactedBytesMax + 1, 'x');
  EXPECT_EQ(RedactionPatterns::Make({{"A", AsBytes(large)}}).error().code, Code::kExhausted);
  EXPECT_TRUE(Make({{"A", "abc"}})->empty());
  EXPECT_EQ(Everywhere(Make({}), "text"), "text");
  EXPECT_EQ(RedactText(nullptr, "text"), "text");
}

TEST(Redactor, AValueOf64KibIsFoundInEveryForm) {
  std::string value(64 << 10, '\0');
  std::mt19937 random(3);
  for (char& c : value) c = static_cast<char>(random() % 255 + 1);
  const Patterns patterns = Make({{"BIG", value}});
  EXPECT_EQ(RedactText(patterns, "a" + value + "b"), "a[redacted:BIG]b");
  EXPECT_EQ(RedactText(patterns, Base64Encode(AsBytes("xx" + value))).substr(0, 15), "eHg[redacted:BI") << "one shared digit may stay";
}

}  // namespace
}  // namespace writ::secrets

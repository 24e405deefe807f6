#include "base/bytes.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(Hex, RoundTripsAndRefuses) {
  EXPECT_EQ(HexEncode(AsBytes(std::string_view("\x00\xff\x10", 3))), "00ff10");
  EXPECT_EQ(HexDecode("00fF10").value(), std::string("\x00\xff\x10", 3));
  EXPECT_FALSE(HexDecode("0"));
  EXPECT_FALSE(HexDecode("0g"));
}

TEST(Base64, Rfc4648Vectors) {
  const std::pair<const char*, const char*> cases[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(Base64Encode(AsBytes(plain)), encoded);
    EXPECT_EQ(Base64DecodeLenient(encoded).value(), plain);
  }
}

TEST(Base64, LenientTakesUrlAlphabetAndMissingPadding) {
  EXPECT_EQ(Base64UrlEncode(AsBytes("\xfb\xff\xfe")), "-__-");
  EXPECT_EQ(Base64DecodeLenient("-__-").value(), "\xfb\xff\xfe");
  EXPECT_EQ(Base64DecodeLenient("Zg").value(), "f");
  EXPECT_FALSE(Base64DecodeLenient("Z"));
  EXPECT_FALSE(Base64DecodeLenient("Z!=="));
}

}  // namespace
}  // namespace writ

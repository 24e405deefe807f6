#include "crypto/digest.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"

namespace writ::crypto {
namespace {

TEST(Sha256, RawVectors) {
  const canon::Json file = test::VectorFile("canonical.json");
  ASSERT_TRUE(file.is_object());
  for (const canon::Json& c : file.Find("sha256Raw")->array()) {
    EXPECT_EQ(Sha256Hex(*c.FindString("utf8")), *c.FindString("sha256"));
  }
}

TEST(Sha256, CanonicalTextVectors) {
  const canon::Json file = test::VectorFile("canonical.json");
  ASSERT_TRUE(file.is_object());
  for (const canon::Json& c : file.Find("jsonCases")->array()) {
    EXPECT_EQ(Sha256Hex(HexDecode(*c.FindString("canonicalUtf8Hex")).value()), *c.FindString("sha256")) << *c.FindString("name");
  }
}

TEST(Sha256, PiecesGiveTheDigestOfTheWhole) {
  const std::string text(100000, 'x');
  Sha256 pieces;
  for (std::size_t at = 0; at < text.size(); at += 777) pieces.Update(AsBytes(std::string_view(text).substr(at, 777)));
  const Sha256 fork = pieces;
  EXPECT_EQ(pieces.FinishHex(), Sha256Hex(text));
  EXPECT_EQ(pieces.FinishHex(), Sha256Hex(std::string_view()));  // reusable
  EXPECT_EQ(Sha256(fork).FinishHex(), Sha256Hex(text));          // a copy goes on by itself
}

TEST(Sha256, HashSyntax) {
  EXPECT_TRUE(IsHash(std::string(64, 'a')));
  EXPECT_FALSE(IsHash(std::string(64, 'A')));
  EXPECT_FALSE(IsHash(std::string(63, 'a')));
  EXPECT_FALSE(IsHash("sha256:" + std::string(57, 'a')));
}

}  // namespace
}  // namespace writ::crypto

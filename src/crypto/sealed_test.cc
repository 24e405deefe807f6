#include "crypto/sealed.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"

namespace writ::crypto {
namespace {

SealedBox BoxOf(const canon::Json& blob) {
  const auto bytes = [&](std::string_view name) { return Base64DecodeLenient(*blob.FindString(name)).value(); };
  return {bytes("salt"), bytes("iv"), bytes("tag"), bytes("data")};
}

class SealedVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(SealedVectors, OpensToThePlaintext) {
  ASSERT_EQ(GetParam().problem, "");
  const canon::Json& c = GetParam().value;
  const SealedBox box = BoxOf(*c.Find("blob"));
  const SecretBytes master = ReadMaster(" " + *c.FindString("masterKey") + "\n").value();
  EXPECT_EQ(HexEncode(DeriveSealKey(master, box.salt).value().bytes()), *c.FindString("derivedKeyHex"));
  EXPECT_EQ(Open(box, master).value().text(), *c.FindString("plaintext"));
  const auto wrong = Open(box, ReadMaster("another").value());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kDenied);
}
INSTANTIATE_TEST_SUITE_P(All, SealedVectors, testing::ValuesIn(test::VectorCases("sealed.json", "cases")), test::VectorCaseName);

TEST(Sealed, RoundTripsAndDetectsEveryChange) {
  const SecretBytes master = ReadMaster(std::string(64, 'A')).value();
  EXPECT_EQ(master.size(), 32u);
  const SealedBox box = Seal(AsBytes("plain"), master).value();
  EXPECT_EQ(Open(box, master).value().text(), "plain");
  for (std::string SealedBox::*member : {&SealedBox::salt, &SealedBox::iv, &SealedBox::tag, &SealedBox::data}) {
    SealedBox changed = box;
    (changed.*member)[0] = static_cast<char>((changed.*member)[0] ^ 1);
    EXPECT_FALSE(Open(changed, master));
    SealedBox cut = box;
    (cut.*member).pop_back();
    EXPECT_FALSE(Open(cut, master));
  }
}

TEST(Sealed, MasterMaterial) {
  EXPECT_EQ(ReadMaster("0F" + std::string(62, '0'))->bytes()[0], 0x0F);
  EXPECT_EQ(ReadMaster(std::string(63, '0'))->size(), 63u);
  EXPECT_EQ(ReadMaster(std::string(63, '0') + "g")->size(), 64u);
  EXPECT_EQ(ReadMaster("\tpass phrase\n")->text(), "pass phrase");
  EXPECT_FALSE(ReadMaster(" \n"));
}

}  // namespace
}  // namespace writ::crypto

#include "crypto/ed25519.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"

namespace writ::crypto {
namespace {

using canon::Json;

std::array<std::uint8_t, 32> Seed(std::string_view hex) {
  const std::string bytes = HexDecode(hex).value();
  std::array<std::uint8_t, 32> seed;
  std::copy(bytes.begin(), bytes.end(), seed.begin());
  return seed;
}

PrivateKey VectorKey(const Json& keys_file, std::string_view name) {
  return PrivateKey::FromSeed(Seed(*keys_file.Find("keys")->Find(name)->FindString("seedHex")));
}

TEST(KeyVectors, PemsIdsAndRawBytesFollowFromTheSeed) {
  const Json file = test::VectorFile("keys.json");
  ASSERT_TRUE(file.is_object());
  for (const auto& [name, key] : file.Find("keys")->object()) {
    SCOPED_TRACE(name);
    const PrivateKey made = PrivateKey::FromSeed(Seed(*key.FindString("seedHex")));
    EXPECT_EQ(made.Pem().text(), *key.FindString("privateKeyPem"));
    EXPECT_EQ(made.public_key().Pem(), *key.FindString("publicKeyPem"));
    EXPECT_EQ(HexEncode(made.public_key().raw()), *key.FindString("rawPublicHex"));
    EXPECT_EQ(made.key_id(), *key.FindString("keyId"));
    EXPECT_EQ(PublicKey::FromPem(*key.FindString("publicKeyPem")).value(), made.public_key());
    EXPECT_EQ(PrivateKey::FromPem(*key.FindString("privateKeyPem")).value().Pem().text(), made.Pem().text());
  }
}

class KeyIdVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(KeyIdVectors, Case) {
  ASSERT_EQ(GetParam().problem, "");
  EXPECT_EQ(KeyIdOfPem(*GetParam().value.FindString("pem")), *GetParam().value.FindString("keyId"));
  EXPECT_TRUE(IsKeyId(KeyIdOfPem(*GetParam().value.FindString("pem"))));
  EXPECT_TRUE(PublicKey::FromPem(*GetParam().value.FindString("pem")));  // all of them are the same key
}
INSTANTIATE_TEST_SUITE_P(All, KeyIdVectors, testing::ValuesIn(test::VectorCases("keys.json", "keyIdCases")), test::VectorCaseName);

class SignatureVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(SignatureVectors, Case) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& c = GetParam().value;
  const PrivateKey key = VectorKey(test::VectorFile("keys.json"), *c.FindString("key"));
  EXPECT_EQ(key.Sign(*c.FindString("payload")), *c.FindString("sig"));
}
INSTANTIATE_TEST_SUITE_P(All, SignatureVectors, testing::ValuesIn(test::VectorCases("keys.json", "signatures")), test::VectorCaseName);

class VerifyVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(VerifyVectors, Case) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& c = GetParam().value;
  const PrivateKey key = VectorKey(test::VectorFile("keys.json"), *c.FindString("key"));
  EXPECT_EQ(key.public_key().Verify(*c.FindString("payload"), *c.FindString("sig")), c.Find("expect")->boolean());
}
INSTANTIATE_TEST_SUITE_P(All, VerifyVectors, testing::ValuesIn(test::VectorCases("keys.json", "verifyCases")), test::VectorCaseName);

TEST(Ed25519, RefusesWhatIsNotAPem) {
  const std::string good = PrivateKey::Generate().public_key().Pem();
  const std::string body = good.substr(27, 60);
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"only labels", "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----"},
      {"no line end", "-----BEGIN PUBLIC KEY-----" + body + "-----END PUBLIC KEY-----"},
      {"text before", "x\n" + good},
      {"text after", good + "x"},
      {"another label", "-----BEGIN RSA PUBLIC KEY-----\n" + body + "\n-----END RSA PUBLIC KEY-----\n"},
      {"mixed labels", "-----BEGIN PUBLIC KEY-----\n" + body + "\n-----END PRIVATE KEY-----\n"},
      {"short body", "-----BEGIN PUBLIC KEY-----\n" + body.substr(4) + "\n-----END PUBLIC KEY-----\n"},
      {"long body", "-----BEGIN PUBLIC KEY-----\n" + body.substr(0, 59) + "AAAAA=\n-----END PUBLIC KEY-----\n"},
      {"very long body", "-----BEGIN PUBLIC KEY-----\n" + std::string(8000, 'A') + "\n-----END PUBLIC KEY-----\n"},
      {"over the bound", "-----BEGIN PUBLIC KEY-----\n" + std::string(1 << 20, 'A') + "\n-----END PUBLIC KEY-----\n"},
      {"spare bits", "-----BEGIN PUBLIC KEY-----\n" + body.substr(0, 58) + "B=\n-----END PUBLIC KEY-----\n"},
      {"another algorithm", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA0EqyMnQrtKs6E2i9RhXk5tAiSrcaAWuvhSCjMsl3hzc=\n-----END PUBLIC KEY-----\n"},
  };
  EXPECT_TRUE(PublicKey::FromPem(good));
  for (const auto& [why, pem] : cases) EXPECT_FALSE(PublicKey::FromPem(pem)) << why;
  EXPECT_FALSE(PrivateKey::FromPem(good));
  EXPECT_FALSE(PublicKey::FromPem(PrivateKey::Generate().Pem().text()));
}

TEST(Ed25519, RefusesMalformedAndMalleableSignatures) {
  const PrivateKey key = PrivateKey::Generate();
  const std::string good = Base64DecodeLenient(key.Sign("m")).value();
  const auto verify = [&](std::string bytes) { return key.public_key().Verify("m", Base64Encode(AsBytes(bytes))); };
  EXPECT_TRUE(verify(good));
  EXPECT_FALSE(verify(good + '\0'));
  EXPECT_FALSE(verify(good.substr(0, 63)));
  EXPECT_FALSE(verify(std::string(64, '\0')));
  for (std::size_t bit = 0; bit < 512; bit += 7) {
    std::string flipped = good;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(verify(flipped)) << bit;
  }
  // s + L is the same point; it must not count as a second signature.
  const std::string order = HexDecode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").value();
  std::string malleable = good;
  int carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += static_cast<unsigned char>(good[32 + i]) + static_cast<unsigned char>(order[i]);
    malleable[32 + i] = static_cast<char>(carry & 0xff);
    carry >>= 8;
  }
  EXPECT_FALSE(verify(malleable));
  EXPECT_FALSE(key.public_key().Verify("m", std::string(1 << 20, 'A')));
}

TEST(Ed25519, SmallOrderKeysSignNothing) {
  PublicKey::Raw identity{};
  identity[0] = 1;
  std::string signature(64, '\0');
  signature[0] = 1;  // R = identity, s = 0: would verify for every message
  EXPECT_FALSE(PublicKey::FromRaw(identity).Verify("anything", Base64Encode(AsBytes(signature))));
}

TEST(Ed25519, KeyIdSyntax) {
  EXPECT_TRUE(IsKeyId("ed25519:0123456789abcdef"));
  EXPECT_FALSE(IsKeyId("ed25519:0123456789ABCDEF"));
  EXPECT_FALSE(IsKeyId("ed25519:0123456789abcde"));
  EXPECT_FALSE(IsKeyId("sha256:0123456789abcdef"));
}

TEST(SecretBytes, MovesAndShrinks) {
  SecretBytes secret = SecretBytes::CopyOf(AsBytes("secret"));
  SecretBytes other = std::move(secret);
  EXPECT_EQ(other.text(), "secret");
  EXPECT_TRUE(secret.empty());  // NOLINT(bugprone-use-after-move): the moved-from state is defined
  other.Shrink(3);
  EXPECT_EQ(other.text(), "sec");
  std::string text = "abc";
  Wipe(text);
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace writ::crypto

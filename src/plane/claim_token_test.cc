#include "plane/claim_token.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "canon/vectors_for_test.h"

namespace writ::plane {
namespace {

using test::VectorCase;

const WallTime kSealedAt = *ParseTimestamp("2026-03-01T12:00:00.000Z");

crypto::PublicKey VectorKey() {
  const canon::Json keys = test::VectorFile("keys.json");
  const canon::Json* plane = keys.Find("keys")->Find("plane");
  return *crypto::PublicKey::FromPem(*plane->FindString("publicKeyPem"));
}

class ClaimTokenVectors : public testing::TestWithParam<VectorCase> {};

TEST_P(ClaimTokenVectors, AsTheReferenceReadsIt) {
  ASSERT_EQ(GetParam().problem, "");
  const canon::Json& vector = GetParam().value;
  auto token = OpenClaimToken(*vector.FindString("token"), VectorKey());
  if (token) {
    if (auto alive = CheckNotExpired(*token, kSealedAt); !alive) token = std::unexpected(std::move(alive).error());
  }
  if (const canon::Json* parsed = vector.Find("parsed")) {
    ASSERT_TRUE(token) << token.error().error;
    EXPECT_EQ(token->run_id, *parsed->FindString("runId"));
    EXPECT_EQ(token->runner_id, *parsed->FindString("runnerId"));
    EXPECT_EQ(token->nonce, *parsed->FindString("nonce"));
    EXPECT_EQ(FormatTimestamp(token->expires), *parsed->FindString("exp"));
    return;
  }
  const canon::Json* rejected = vector.Find("rejected");
  ASSERT_NE(rejected, nullptr);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().status, static_cast<int>(rejected->Find("status")->number()));
  EXPECT_EQ(token.error().code, *rejected->FindString("code"));
  EXPECT_EQ(token.error().error, *rejected->FindString("message"));
}
INSTANTIATE_TEST_SUITE_P(Cases, ClaimTokenVectors, testing::ValuesIn(test::VectorCases("claim-token.json", "cases")),
                         test::VectorCaseName);

TEST(ClaimToken, OpensWhatItSealed) {
  const auto key = crypto::PrivateKey::Generate();
  const ClaimToken token{"run_1", "rnr_1", MakeNonce(), kSealedAt + kClaimTokenLife};
  const std::string text = SealClaimToken(token, key);
  const auto opened = OpenClaimToken(text, key.public_key());
  ASSERT_TRUE(opened) << opened.error().error;
  EXPECT_EQ(*opened, token);
  EXPECT_TRUE(CheckNotExpired(*opened, token.expires - Millis{1}));
  EXPECT_FALSE(CheckNotExpired(*opened, token.expires));
}

TEST(ClaimToken, NoOtherTextOfAToken) {
  const auto key = crypto::PrivateKey::Generate();
  const std::string text = SealClaimToken({"run_1", "rnr_1", MakeNonce(), kSealedAt}, key);
  for (const std::string& changed : {text + "=", " " + text, text + "\n", std::string(5000, 'a') + "." + text}) {
    EXPECT_FALSE(OpenClaimToken(changed, key.public_key())) << changed;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    const auto opened = OpenClaimToken(changed, key.public_key());
    // The last character of a segment carries two or four unused bits.
    if (!opened) continue;
    EXPECT_EQ(opened->run_id, "run_1");
    EXPECT_EQ(i, text.size() - 1);
  }
}

}  // namespace
}  // namespace writ::plane

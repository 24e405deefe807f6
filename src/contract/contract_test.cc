#include "contract/contract.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "contract/hash.h"
#include "contract/manifest.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "contract/test_keys.h"

namespace writ::contract {
namespace {

using canon::Json;

class ContractVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(ContractVectors, HashesAndSignature) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& c = GetParam().value;
  const Json& contract = *c.Find("contract");
  EXPECT_EQ(canon::CanonicalWithout(contract, "signatures").value(), *c.FindString("canonicalUnsigned"));
  EXPECT_EQ(HashUnsigned(contract).value(), *c.FindString("contractHash"));
  EXPECT_EQ(IsSignedBy(contract, kSignerPlane, test::PlaneKey().public_key().Pem()), c.Find("planeSignatureValid")->boolean());
  // What is decoded and encoded again is the same contract, but for members this type does not know.
  const auto decoded = DecodeContract(contract);
  ASSERT_TRUE(decoded) << decoded.error().what;
  if (GetParam().name == "unknown_extra_member_changes_the_hash") return;
  EXPECT_EQ(HashUnsigned(ToJson(*decoded)).value(), *c.FindString("contractHash"));
}
INSTANTIATE_TEST_SUITE_P(All, ContractVectors, testing::ValuesIn(test::VectorCases("contract.json", "cases")), test::VectorCaseName);

TEST(Contract, IssuingSignsTheSameAsTheOriginal) {
  const Json file = test::VectorFile("contract.json");
  ASSERT_TRUE(file.is_object());
  const Json& original = *file.Find("cases")->array()[0].Find("contract");
  Contract contract = DecodeContract(original).value();
  contract.issuer_key_id.clear();  // Issue fills it in
  const IssuedContract issued = Issue(contract, test::PlaneKey()).value();
  EXPECT_TRUE(issued.json == original);
  EXPECT_EQ(issued.hash, *file.Find("cases")->array()[0].FindString("contractHash"));
}

TEST(Contract, DecodingNamesTheWrongMember) {
  const Json file = test::VectorFile("contract.json");
  ASSERT_TRUE(file.is_object());
  const Json original = *file.Find("cases")->array()[0].Find("contract");
  struct Case {
    const char* member;
    Json value;
    const char* error;
  };
  const Case cases[] = {
      {"version", "other", "contract.version: must be \"warrant.contract.v1\""},
      {"runId", 1, "contract.runId: must be a string"},
      {"issuedAt", "yesterday", "contract.issuedAt: must be a time like 2026-06-11T00:00:00.000Z"},
      {"requestedBy", Json::Of({{"kind", "robot"}, {"id", "x"}}), "contract.requestedBy.kind: must be \"human\" or \"service\""},
      {"policyHash", "ABC", "contract.policyHash: must be 64 lower-case hex characters"},
      {"secrets", Json(Json::Array(257)), "contract.secrets: must have at most 256 elements, has 257"},
      {"disclosure", "all", "contract.disclosure: must be none, metadata-only, redacted, minimal-context or full"},
      {"task", Json::Of({{"prompt", ""}}), "contract.task.prompt: must have 1 to 1000000 characters, has 0"},
      {"network", Json(), "contract.network: must be an object"},
      {"budget", Json::Of({{"maxDurationMin", 0}}), "contract.budget.maxDurationMin: must be a number above 0"},
  };
  for (const Case& c : cases) {
    Json changed = original;
    changed.Set(c.member, c.value);
    const auto decoded = DecodeContract(changed);
    ASSERT_FALSE(decoded) << c.member;
    EXPECT_EQ(decoded.error().what, c.error);
    changed.Remove(c.member);
    EXPECT_FALSE(DecodeContract(changed)) << c.member;
  }
  EXPECT_FALSE(DecodeContract(Json(1)));
}

TEST(Contract, ExpiryIsAMoment) {
  const Json contract = Json::Of({{"expiresAt", "2026-06-11T01:00:00.000Z"}});
  const WallTime expires = ParseTimestamp("2026-06-11T01:00:00.000Z").value();
  EXPECT_TRUE(CheckNotExpired(contract, expires - Millis(1)));
  const auto expired = CheckNotExpired(contract, expires);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, Code::kDenied);
  EXPECT_EQ(expired.error().what, "contract expired at 2026-06-11T01:00:00.000Z");
  EXPECT_EQ(CheckNotExpired(Json::MakeObject(), expires).error().code, Code::kInvalid);
  EXPECT_EQ(CheckNotExpired(Json::Of({{"expiresAt", "never"}}), expires).error().code, Code::kInvalid);
}

TEST(Contract, LongTextsAreCutWithAMark) {
  EXPECT_EQ(FitText("abc", 3), "abc");
  EXPECT_EQ(FitText("abcd", 3), "ab\xE2\x80\xA6");
  EXPECT_EQ(FitText("\xF0\x9F\x98\x80\xF0\x9F\x98\x80", 3), "\xF0\x9F\x98\x80\xE2\x80\xA6");  // two units each
  EXPECT_EQ(FitText("a\xFFz", 3), "a\xEF\xBF\xBDz");
  EXPECT_EQ(FitText("abc", 0), "");
}

TEST(Manifest, RoundTripsAndRefusesUnsafePaths) {
  WorkspaceManifest manifest = EmptyManifest();
  manifest.untracked_files = {{"a/b.txt", std::string(64, 'a'), 3}};
  manifest.denied_paths = {".env"};
  EXPECT_EQ(DecodeManifest(ToJson(manifest)).value(), manifest);
  EXPECT_EQ(manifest.bundle_hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  manifest.untracked_files[0].path = "../b";
  const auto refused = DecodeManifest(ToJson(manifest));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "workspace.untrackedFiles[0]: workspace path \"../b\" must be a safe relative path");
}

TEST(Signing, RefusesWhatCannotBeSigned) {
  Json array = Json::MakeArray();
  EXPECT_FALSE(AppendSignature(array, kSignerPlane, test::PlaneKey()));
  Json odd = Json::Of({{"signatures", 1}});
  EXPECT_FALSE(AppendSignature(odd, kSignerPlane, test::PlaneKey()));
  EXPECT_FALSE(IsSignedBy(odd, kSignerPlane, test::PlaneKey().public_key().Pem()));
  EXPECT_FALSE(IsSignedBy(Json::MakeObject(), kSignerPlane, test::PlaneKey().public_key().Pem()));
}

}  // namespace
}  // namespace writ::contract

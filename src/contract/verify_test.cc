#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "contract/bundle.h"
#include "contract/test_keys.h"

namespace writ::contract {
namespace {

using canon::Json;

Json ValidBundle() { return test::VectorFile("bundle-valid.json"); }

std::vector<std::string> Problems(const Json& bundle) { return VerifyBundle(bundle).problems; }

TEST(BundleVectors, TheValidBundleVerifies) {
  const Verification verification = VerifyBundle(ValidBundle());
  EXPECT_EQ(verification.problems, std::vector<std::string>{});
  EXPECT_EQ(verification.warnings, std::vector<std::string>{});
  EXPECT_FALSE(verification.pinned);
}

class BundleVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(BundleVectors, ProblemsInOrder) {
  ASSERT_EQ(GetParam().problem, "");
  static const Json base = test::VectorFile(*test::VectorFile("bundle-cases.json").FindString("base"));
  const Json& c = GetParam().value;
  Json bundle = base;
  for (const auto& [name, value] : c.Find("replace")->object()) bundle.Set(name, value);
  for (const Json& name : c.Find("remove")->array()) bundle.Remove(name.string());
  const Verification verification = VerifyBundle(bundle);
  const Json& expect = *c.Find("expect");
  EXPECT_EQ(verification.ok(), expect.Find("ok")->boolean());
  const auto& problems = expect.Find("problems")->array();
  ASSERT_EQ(verification.problems.size(), problems.size()) << testing::PrintToString(verification.problems);
  for (std::size_t i = 0; i < problems.size(); ++i) {
    constexpr std::string_view kMalformed = "bundle is malformed: ";
    if (problems[i].string().starts_with(kMalformed)) {
      EXPECT_TRUE(verification.problems[i].starts_with(kMalformed)) << verification.problems[i];
    } else {
      EXPECT_EQ(verification.problems[i], problems[i].string());
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, BundleVectors, testing::ValuesIn(test::VectorCases("bundle-cases.json", "cases")), test::VectorCaseName);

TEST(Bundle, EveryMissingOrMistypedMemberHasTheAnswerOfTheOriginal) {
  // A container that is missing is an exception in the original; a plain member that is missing differs from its peer.
  struct Case {
    const char *owner, *member, *first_problem;
  };
  const Case cases[] = {
      {"", "contract", "bundle is malformed: "},
      {"", "receipt", "bundle is malformed: "},
      {"", "events", "bundle is malformed: "},
      {"", "keys", "bundle is malformed: "},
      {"keys", "planePublicKeyPem", "bundle is malformed: "},
      {"keys", "runnerPublicKeyPem", "bundle is malformed: "},
      {"contract", "signatures", "bundle is malformed: "},
      {"contract", "runner", "bundle is malformed: "},
      {"contract", "workspace", "bundle is malformed: "},
      {"receipt", "signatures", "bundle is malformed: "},
      {"receipt", "runner", "bundle is malformed: "},
      {"receipt", "workspaceIn", "bundle is malformed: "},
      {"receipt", "workspaceOut", "bundle is malformed: "},
      {"receipt", "secretsReleased", "bundle is malformed: "},
      {"receipt", "status", "bundle is malformed: "},
      {"receipt", "runId", "receipt.runId does not match the contract"},
      {"receipt", "contractHash", "receipt.contractHash does not match the contract"},
      {"receipt", "eventsHead", "receipt runner signature invalid"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.owner) + "." + c.member);
    for (const bool remove : {true, false}) {
      Json bundle = ValidBundle();
      Json owner = *c.owner == '\0' ? bundle : *bundle.Find(c.owner);
      if (remove) {
        owner.Remove(c.member);
      } else {
        owner.Set(c.member, Json());
      }
      if (*c.owner == '\0') {
        bundle = owner;
      } else {
        bundle.Set(c.owner, owner);
      }
      const auto problems = Problems(bundle);
      ASSERT_FALSE(problems.empty());
      EXPECT_TRUE(problems[0].starts_with(c.first_problem)) << problems[0];
      if (problems[0].starts_with("bundle is malformed: ")) {
        EXPECT_EQ(problems.size(), 1u);
      }
    }
  }
  for (const char* text : {"null", "1", "[]", "{}", "\"x\""}) {
    EXPECT_EQ(Problems(canon::Parse(text, canon::Mode::kWire).value()).size(), 1u);
  }
}

TEST(Bundle, PinsByIdAndByKey) {
  const Json bundle = ValidBundle();
  const std::string plane_id = test::PlaneKey().key_id();
  EXPECT_TRUE(VerifyBundle(bundle, {{Pin::OfKeyId(plane_id)}, {}}).pinned);
  EXPECT_TRUE(VerifyBundle(bundle, {{Pin::OfKey(test::OtherKey().public_key()), Pin::OfKey(test::PlaneKey().public_key())}, {}}).pinned);
  const Verification other = VerifyBundle(bundle, {{Pin::OfKey(test::OtherKey().public_key())}, {}});
  EXPECT_FALSE(other.pinned);
  EXPECT_EQ(other.problems, std::vector<std::string>{"plane key " + plane_id + " is not pinned"});
  EXPECT_TRUE(VerifyBundle(bundle, {{}, {Pin::OfKey(test::RunnerKey().public_key())}}).ok());
  const Verification runner = VerifyBundle(bundle, {{Pin::OfKeyId(plane_id)}, {Pin::OfKeyId(plane_id)}});
  EXPECT_EQ(runner.problems, std::vector<std::string>{"runner key " + test::RunnerKey().key_id() + " is not pinned"});
  EXPECT_TRUE(runner.pinned);
}

TEST(Bundle, APinnedKeyIsComparedWholeNotByItsShortId) {
  Pin pin = Pin::OfKey(test::OtherKey().public_key());
  pin.key_id = test::PlaneKey().key_id();  // as if two keys had the same 64-bit id
  EXPECT_FALSE(VerifyBundle(ValidBundle(), {{pin}, {}}).pinned);
}

TEST(Bundle, RunnerReceiptIsCheckedWithoutThePlanesSignatures) {
  const Json bundle = ValidBundle();
  Json receipt = *bundle.Find("receipt");
  Json only_runner = Json::MakeArray();
  only_runner.Append(receipt.Find("signatures")->array()[0]);
  receipt.Set("signatures", only_runner);
  const std::string hash = *receipt.FindString("contractHash");
  const std::string& pem = *bundle.Find("keys")->FindString("runnerPublicKeyPem");
  const auto check = [&](const Json& r) { return CheckRunnerReceipt(*bundle.Find("contract"), hash, r, *bundle.Find("events"), pem); };
  EXPECT_TRUE(check(receipt).empty());
  EXPECT_EQ(check(Json::MakeObject()).size(), 1u);
  EXPECT_EQ(check(Json()).size(), 1u);
  receipt.Set("costUsd", 1);
  EXPECT_EQ(check(receipt), std::vector<std::string>{"receipt runner signature invalid"});
}

}  // namespace
}  // namespace writ::contract

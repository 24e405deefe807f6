#include "contract/handoff.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "contract/hash.h"

namespace writ::contract {
namespace {

using canon::Json;

/// Decodes and encodes an object by its name in the vector file.
Result<Json> ThroughTypes(const std::string& name, const Json& object) {
  if (name == "checkpoint") return ToJson(WRIT_TRY("decode", DecodeCheckpoint(object)));
  if (name == "envelope") return ToJson(WRIT_TRY("decode", DecodeEnvelope(object)));
  if (name == "toolJournal") return ToJson(WRIT_TRY("decode", DecodeToolJournal(object)));
  return Fail(Code::kNotFound, "no type for {}", name);
}

class HandoffVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(HandoffVectors, CanonicalTextAndHash) {
  ASSERT_EQ(GetParam().problem, "");
  const Json& c = GetParam().value;
  const Json& object = *c.Find("object");
  EXPECT_EQ(canon::Canonical(object).value(), *c.FindString("canonical"));
  EXPECT_EQ(HashCanonical(object).value(), *c.FindString("hash"));
  const auto made = ThroughTypes(GetParam().name, object);
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(canon::Canonical(*made).value(), *c.FindString("canonical"));
}
INSTANTIATE_TEST_SUITE_P(All, HandoffVectors, testing::ValuesIn(test::VectorCases("handoff.json", "objects")), test::VectorCaseName);

TEST(Handoff, RefusesWhatIsMissingOrOfAWrongType) {
  const Json file = test::VectorFile("handoff.json");
  ASSERT_TRUE(file.is_object());
  for (const Json& c : file.Find("objects")->array()) {
    const std::string& name = *c.FindString("name");
    for (const Json::Member& member : c.Find("object")->object()) {
      Json changed = *c.Find("object");
      changed.Set(member.first, 7);
      const bool kept_as_received = member.first == "checkpoint" || member.first == "workspace" || member.first == "execution";
      EXPECT_EQ(ThroughTypes(name, changed).has_value(), kept_as_received) << name << '.' << member.first;
    }
    EXPECT_FALSE(ThroughTypes(name, Json::MakeObject()));
    EXPECT_FALSE(ThroughTypes(name, Json(1)));
  }
}

}  // namespace
}  // namespace writ::contract

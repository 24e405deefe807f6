#include "workspace/warrant_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "crypto/digest.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

class WorkspacePathVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(WorkspacePathVectors, Agree) {
  ASSERT_EQ(GetParam().problem, "");
  const std::string& input = *GetParam().value.FindString("input");
  const auto checked = CheckWorkspacePath(input);
  if (const std::string* error = GetParam().value.FindString("error")) {
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().what, *error);
  } else {
    EXPECT_TRUE(checked);
  }
}
INSTANTIATE_TEST_SUITE_P(All, WorkspacePathVectors,
                         testing::ValuesIn(test::VectorCases("validators.json", "workspacePath")),
                         test::VectorCaseName);

TEST(WarrantManifest, OfADirectory) {
  TestTree tree;
  tree.Write("b", "bb").Write("a/x", "").Link("link", "b").Write(".env", "S");
  CaptureOptions options;
  options.deny = PatternList::Compile(DefaultDenyPatterns()).value();
  const canon::Json shown = ToWarrantManifest(tree.Captured(options), std::nullopt, options.deny);
  EXPECT_EQ(*shown.FindString("version"), "warrant.manifest.v1");
  EXPECT_EQ(*shown.FindString("baseRef"), "none");
  EXPECT_EQ(*shown.FindString("bundleHash"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(shown.Find("untrackedFiles")->array().size(), 3u);
  EXPECT_TRUE(shown.Find("deniedPaths")->array().empty());
  EXPECT_TRUE(shown.Find("deniedPatterns")->array().empty());

  options.keep_out_denied = true;
  const canon::Json kept_out = ToWarrantManifest(tree.Captured(options), std::string(40, 'c'), options.deny);
  EXPECT_EQ(*kept_out.FindString("baseRef"), std::string(40, 'c'));
  EXPECT_EQ(kept_out.Find("deniedPatterns")->array().size(), 6u);
  ASSERT_EQ(kept_out.Find("deniedPaths")->array().size(), 1u);
  EXPECT_EQ(kept_out.Find("deniedPaths")->array()[0].string(), ".env");
  const auto& files = kept_out.Find("untrackedFiles")->array();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[1], canon::Json::Of({{"path", "b"}, {"hash", crypto::Sha256Hex("bb")}, {"bytes", 2}}));
}

TEST(WarrantManifest, AnyNameSurvivesTheWire) {
  const std::string names[] = {"plain", "a b/\xC3\xA4", "new\nline", "\xff", "back\\slash", "%:x", "%41", "C:x",
                               "\xE2\x80\xA8"};
  for (const auto& name : names) {
    const std::string wire = ToWirePath(name);
    EXPECT_TRUE(CheckWorkspacePath(wire)) << wire;
    EXPECT_EQ(FromWirePath(wire).value(), name);
  }
  EXPECT_EQ(ToWirePath("a b/\xC3\xA4"), "a b/\xC3\xA4");
  EXPECT_EQ(ToWirePath("%41"), "%41");
  EXPECT_EQ(ToWirePath("new\nline"), "%:new%0Aline");
  EXPECT_EQ(ToWirePath("%:x"), "%:%25:x");
  EXPECT_FALSE(FromWirePath("%:a%4"));
  EXPECT_FALSE(FromWirePath("%:a%zz"));
}

}  // namespace
}  // namespace writ::workspace

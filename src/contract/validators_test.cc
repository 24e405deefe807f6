#include "contract/validators.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"

namespace writ::contract {
namespace {

/// Runs one list of validators.json: `ok` value equal, or refused with exactly `error`.
void CheckAgainst(const test::VectorCase& vector_case, Result<std::string> (*check)(std::string_view)) {
  ASSERT_EQ(vector_case.problem, "");
  const canon::Json& c = vector_case.value;
  const auto checked = check(*c.FindString("input"));
  if (const std::string* ok = c.FindString("ok")) {
    ASSERT_TRUE(checked) << checked.error().what;
    EXPECT_EQ(*checked, *ok);
  } else {
    ASSERT_FALSE(checked) << *checked;
    EXPECT_EQ(checked.error().what, *c.FindString("error"));
    EXPECT_EQ(checked.error().code, Code::kInvalid);
  }
}

class SecretNameVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(SecretNameVectors, Case) { CheckAgainst(GetParam(), &CheckSecretName); }
INSTANTIATE_TEST_SUITE_P(All, SecretNameVectors, testing::ValuesIn(test::VectorCases("validators.json", "secretName")), test::VectorCaseName);

class PoolNameVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(PoolNameVectors, Case) { CheckAgainst(GetParam(), &CheckPoolName); }
INSTANTIATE_TEST_SUITE_P(All, PoolNameVectors, testing::ValuesIn(test::VectorCases("validators.json", "poolName")), test::VectorCaseName);

class AllowHostVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(AllowHostVectors, Case) { CheckAgainst(GetParam(), &CheckAllowHost); }
INSTANTIATE_TEST_SUITE_P(All, AllowHostVectors, testing::ValuesIn(test::VectorCases("validators.json", "allowHost")), test::VectorCaseName);

class WorkspacePathVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(WorkspacePathVectors, Case) { CheckAgainst(GetParam(), &CheckWorkspacePath); }
INSTANTIATE_TEST_SUITE_P(All, WorkspacePathVectors, testing::ValuesIn(test::VectorCases("validators.json", "workspacePath")), test::VectorCaseName);

class ResolveVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(ResolveVectors, Case) {
  CheckAgainst(GetParam(), [](std::string_view path) { return ResolveInside("/repo", path); });
}
INSTANTIATE_TEST_SUITE_P(All, ResolveVectors, testing::ValuesIn(test::VectorCases("validators.json", "resolveInsideRelative")), test::VectorCaseName);

TEST(WorkspacePath, LineSeparatorsAreRefusedToo) {
  EXPECT_FALSE(CheckWorkspacePath("a\xE2\x80\xA8" "b"));
  EXPECT_FALSE(CheckWorkspacePath("a\xE2\x80\xA9" "b"));
  EXPECT_TRUE(CheckWorkspacePath("a\xE2\x80\xA7" "b"));
}

TEST(ResolveInside, NeverLeavesTheRoot) {
  EXPECT_EQ(ResolveInside("/", "a/./b").value(), "/a/b");
  EXPECT_EQ(ResolveInside("/repo/", ".").value(), "/repo");
  EXPECT_FALSE(ResolveInside("/repo", "..\\x"));
  EXPECT_FALSE(ResolveInside("/repo", "a\\..\\..\\x"));
}

}  // namespace
}  // namespace writ::contract

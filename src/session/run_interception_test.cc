#include "session/run_interception.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::session {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

policy::EgressRules Rules(std::initializer_list<const char*> texts) {
  policy::EgressRules rules;
  for (const char* text : texts) rules.rules.push_back(*policy::ParseEgressRule(text));
  return rules;
}

std::vector<secrets::EdgeSecret> Bound(const char* host) {
  std::vector<secrets::EdgeSecret> secrets(1);
  secrets[0].name = "TOKEN";
  secrets[0].host = host;
  secrets[0].placeholder = secrets::MakePlaceholder("TOKEN");
  return secrets;
}

TEST(RunInterception, IsNeededForRequestRulesAndBoundSecrets) {
  EXPECT_FALSE(NeedsInterception(Rules({"a.test:443", "*.b.test"}), {}));
  EXPECT_TRUE(NeedsInterception(Rules({"a.test:443", "b.test GET /x/**"}), {}));
  EXPECT_TRUE(NeedsInterception(Rules({"a.test:443"}), Bound("a.test")));
}

TEST(RunInterception, Attack26_ABoundSecretNeedsAWayToItsHost) {
  EXPECT_TRUE(CheckWayTo(Bound("a.test"), true, Rules({"A.test:443"})));
  EXPECT_TRUE(CheckWayTo(Bound("api.a.test"), true, Rules({"*.a.test"})));
  for (const auto& rules : {Rules({}), Rules({"b.test:443"}), Rules({"*.a.test"})}) {
    const auto refused = CheckWayTo(Bound("a.test"), true, rules);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().what, HasSubstr("add --net a.test:443"));
  }
  EXPECT_FALSE(CheckWayTo(Bound("a.test"), false, Rules({"a.test"})));
}

TEST(RunInterception, TheJobTrustsTheRunsAuthorityWhereItHasNoOtherWish) {
  isolation::SessionSpec spec;
  spec.env = {"PATH=/bin", "SSL_CERT_FILE=/own.pem"};
  const auto made = MakeInterception(Bound("a.test"), WallTime(Millis(1'800'000'000'000)), spec);
  ASSERT_TRUE(made) << made.error().what;
  ASSERT_EQ(spec.files.size(), 1u);
  EXPECT_THAT(spec.files[0].bytes, HasSubstr((*made)->authority->certificate_pem()));
  EXPECT_THAT(spec.files[0].bytes, Not(HasSubstr("PRIVATE KEY")));
  EXPECT_THAT(spec.env, Contains("SSL_CERT_FILE=/own.pem"));
  EXPECT_THAT(spec.env, Contains("CURL_CA_BUNDLE=/run/writ/ca-certificates.crt"));
  EXPECT_THAT(spec.env, Not(Contains("SSL_CERT_FILE=/run/writ/ca-certificates.crt")));
}

}  // namespace
}  // namespace writ::session

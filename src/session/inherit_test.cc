#include "session/inherit.h"

#include <gtest/gtest.h>

namespace writ::session {
namespace {

TEST(Inherit, TheOperatorsListDecides) {
  struct Case {
    const char* name;
    bool passes;
  };
  InheritRule rule;
  rule.loaded_from = {"TERM"};
  for (const auto& [name, passes] : {Case{"LANG", true}, Case{"LANGUAGE", false}, Case{"LC_ALL", true}, Case{"LC_", true}, Case{"LC", false},
                                     Case{"TZ", true}, Case{"TERM", false}, Case{"PATH", false}, Case{"HOME", false}, Case{"", false},
                                     Case{"WRIT_MASTER_KEY", false}, Case{"lang", false}}) {
    EXPECT_EQ(MayInherit(rule, name), passes) << name;
  }
  rule.allow = {"*", "W*", "V*", "WARRANT_MASTER_KEY", "MY_VAR"};
  for (const auto& [name, passes] : {Case{"HOME", false}, Case{"WRIT_MASTER_KEY", false}, Case{"WARRANT_MASTER_KEY", false}, Case{"VAULT_TOKEN", false},
                                     Case{"WHO", true}, Case{"MY_VAR", true}}) {
    EXPECT_EQ(MayInherit(rule, name), passes) << name;
  }
}

TEST(Inherit, ARunnersMasterKeyReachesNoJobThatAsksForIt) {
  const contract::EnvList runner = {{"LANG", "de_DE.UTF-8"}, {"WRIT_MASTER_KEY", "correct horse"}, {"WARRANT_MASTER_KEY", "battery"},
                                    {"GITHUB_TOKEN", "staple"}, {"VAULT_TOKEN", "s.x"}, {"PATH", "/opt"}};
  contract::ExecutionSpec spec;
  spec.kind = contract::ExecutionKind::kArgv;
  spec.command = "env";
  spec.env = contract::EnvSpec{.inherit = {"LANG", "WRIT_MASTER_KEY", "WARRANT_MASTER_KEY", "GITHUB_TOKEN", "VAULT_TOKEN", "PATH"}, .secrets = {}, .vars = {}, .egress_proxy = {}};
  const auto prepared = contract::Prepare(spec, {}, {.environment = Inheritable({}, runner), .mock = {}});
  ASSERT_TRUE(prepared);
  EXPECT_EQ(prepared->env, (contract::EnvList{{"LANG", "de_DE.UTF-8"}}));
}

}  // namespace
}  // namespace writ::session

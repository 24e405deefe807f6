#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "contract/execution.h"

namespace writ::session {

/// Which variables of a runner's own environment a contract's `env.inherit` may name: the operator's list.
struct InheritRule {
  std::vector<std::string> allow = {"LANG", "LC_*", "TZ", "TERM"};  ///< NAME, or PREFIX* with a prefix of at least one character
  std::vector<std::string> loaded_from;  ///< variables that secrets were read from: refused whatever `allow` says
};

/// What no job is ever given by inheritance, whatever a list says: Writ's and Warrant's own settings, the master key before
/// all, and Vault's token.
bool IsNeverInherited(std::string_view name);

/// Whether the rule lets this name through. An entry `*` alone allows nothing.
bool MayInherit(const InheritRule& rule, std::string_view name);

/// The part of a runner's environment that goes into contract::RunnerSide: whatever a contract names, it finds only this.
contract::EnvList Inheritable(const InheritRule& rule, const contract::EnvList& runner);

}  // namespace writ::session

#pragma once

#include <string>

#include "cli/grammar.h"

namespace writ::cli {

/// Manual page of a command, section 1, in the man(7) macros.
std::string RenderManPage(const Command& command);
/// writ.1: the program, its commands, environment and files.
std::string RenderProgramManPage();
/// File name of a command's page: "writ-policy-check.1".
std::string ManPageName(const Command& command);

}  // namespace writ::cli

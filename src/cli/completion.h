#pragma once

#include <string>

namespace writ::cli {

/// Completion scripts for the three shells, made from the table of commands. Run ids are completed by asking
/// `writ list`; nothing else is executed.
std::string RenderBashCompletion();
std::string RenderZshCompletion();
std::string RenderFishCompletion();

}  // namespace writ::cli

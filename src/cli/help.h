#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/grammar.h"

namespace writ::cli {

/// Help of one command as plain text, at most `columns` wide where words allow it.
std::string RenderHelp(const Command& command, std::size_t columns = 100);
/// The list of commands and what holds for all of them.
std::string RenderProgramHelp(std::size_t columns = 100);

/// "writ run [options] [--] COMMAND [ARG...]"
std::string Synopsis(const Command& command);
/// "-t, --tty", "-e, --env NAME[=VALUE]"
std::string OptionForms(const Option& option);

}  // namespace writ::cli

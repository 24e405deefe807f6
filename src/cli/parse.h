#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/grammar.h"

namespace writ::cli {

/// A command line that was understood. Views point into the arguments it was parsed from.
struct Invocation {
  const Command* command = nullptr;  ///< nullptr: options of the program only
  std::vector<std::pair<const Option*, std::string_view>> options;  ///< in the order given
  std::vector<std::string_view> operands;
  bool after_dashes = false;  ///< the operands follow `--`: for commands that take a task or a command

  bool Has(std::string_view option) const;
  /// The last value given.
  std::optional<std::string_view> Value(std::string_view option) const;
  std::vector<std::string_view> Values(std::string_view option) const;
};

/// A command line that was not understood. `what` is one line, safe to print.
struct UsageError {
  const Command* command = nullptr;  ///< as far as it was recognised
  std::string what;
  bool json = false;  ///< --json was among the options of writ
};

/// Reads the arguments after the program's name by the table of commands. GNU conventions: `--name VALUE`,
/// `--name=VALUE`, clustered letters (`-it`), `-n5`, `--` ends options. Options may follow operands, except for a
/// command that takes a job. `--help` suppresses complaints about missing operands.
std::expected<Invocation, UsageError> ParseCommandLine(std::span<const std::string_view> arguments);

}  // namespace writ::cli

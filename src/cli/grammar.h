#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace writ::cli {

/// What an option's value or an operand is. Completions offer values by it, messages name it.
enum class Kind : std::uint8_t {
  kFlag,       ///< an option without a value
  kText,
  kFile,
  kDirectory,
  kRun,        ///< a run id or a unique prefix of one, with or without `run_`
  kRunOrFile,
  kSize,
  kDuration,
  kCount,
  kChoice,     ///< one of `choices`
  kCommand     ///< the name of a command of writ
};

/// One option. `--name VALUE` and `--name=VALUE` are both read; an empty value is refused, so that an unset shell
/// variable does not silently mean "no workspace".
struct Option {
  std::string_view name;          ///< without the dashes
  char letter = 0;                ///< one-letter form, 0 for none
  Kind kind = Kind::kFlag;
  std::string_view value = {};    ///< how help shows the value: "DIR"
  std::string_view help = {};     ///< one sentence without a full stop
  std::string_view fallback = {}; ///< the default as help shows it; empty: none
  std::string_view choices = {};  ///< for kChoice: words separated by one space
  bool repeatable = false;        ///< may be given several times; otherwise the last one counts
};

/// A titled group of options as help and manual pages show it.
struct OptionGroup {
  std::string_view title;
  std::span<const Option> options;
};

struct Operand {
  std::string_view name;  ///< "RUN"
  Kind kind = Kind::kText;
  bool optional = false;
  bool repeatable = false;  ///< takes all that follow; only the last operand of a command
};

struct Example {
  std::string_view command;
  std::string_view says;
};

struct ExitStatus {
  std::string_view code;
  std::string_view meaning;
};

/// One command: the only description from which parsing, help, manual pages and completions are made.
struct Command {
  std::string_view name;         ///< "run", "policy check"
  std::string_view summary;      ///< one line without a full stop
  std::string_view description = {};  ///< paragraphs, separated by an empty line
  std::span<const OptionGroup> groups = {};
  std::span<const Operand> operands = {};
  /// The operands are a job's argv: options of writ end at the first of them or at `--`.
  bool takes_job = false;
  int usage_status = 2;          ///< exit status of a usage error
  std::span<const Example> examples = {};
  std::span<const ExitStatus> statuses = {};
  std::string_view see_also = {};  ///< names of commands separated by one space
};

/// Every command, in the order in which help lists them.
std::span<const Command> Commands();
/// nullptr when there is none of that name.
const Command* FindCommand(std::string_view name);

/// What the program as a whole says about itself.
struct Program {
  std::string_view name, version, summary, description;
  std::span<const OptionGroup> groups;  ///< options before a command
  std::span<const ExitStatus> environment;  ///< variables that are read, and what for
  std::span<const ExitStatus> files;
};
const Program& ProgramText();

}  // namespace writ::cli

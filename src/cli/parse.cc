#include "cli/parse.h"

#include <algorithm>

#include "base/escape.h"
#include "base/error.h"
#include "base/nearest.h"

namespace writ::cli {
namespace {

constexpr std::size_t kShownWordColumns = 60;  // of a wrong word in a message

std::string ShownWord(std::string_view word) { return EscapeVisible(word, kShownWordColumns); }

std::string Meant(std::string_view prefix, std::string_view suggestion) {
  return suggestion.empty() ? "" : fmt::format(", did you mean `{}{}`?", prefix, suggestion);
}

/// One pass over the arguments; the first thing that is wrong ends it.
class Parser {
 public:
  explicit Parser(std::span<const std::string_view> arguments) : arguments_(arguments) {}

  std::expected<Invocation, UsageError> Parse() {
    if (!FindCommandName() || !Read() || !CheckOperands()) {
      return std::unexpected(UsageError{result_.command, std::move(problem_), AsksForJson()});
    }
    return std::move(result_);
  }

 private:
  bool Wrong(std::string what) {
    problem_ = std::move(what);
    return false;
  }

  std::span<const OptionGroup> Groups() const {
    return result_.command ? result_.command->groups : ProgramText().groups;
  }

  const Option* FindLong(std::string_view name) const {
    for (const auto& group : Groups()) {
      for (const auto& option : group.options) {
        if (option.name == name) return &option;
      }
    }
    return nullptr;
  }

  const Option* FindLetter(char letter) const {
    for (const auto& group : Groups()) {
      for (const auto& option : group.options) {
        if (option.letter == letter) return &option;
      }
    }
    return nullptr;
  }

  std::string SeeHelp() const {
    if (!result_.command) return "see `writ --help`";
    return fmt::format("see `writ help {}`", result_.command->name);
  }

  /// Sets the command when the first argument is not an option of the program.
  bool FindCommandName() {
    if (arguments_.empty() || arguments_[0].starts_with('-')) return true;
    const std::string_view first = arguments_[0];
    if ((result_.command = FindCommand(first))) {
      at_ = 1;
      return true;
    }
    std::vector<std::string_view> seconds;  // of commands of two words
    std::vector<std::string_view> names;
    for (const auto& command : Commands()) {
      const auto space = command.name.find(' ');
      names.push_back(command.name.substr(0, space));
      if (space == std::string_view::npos || command.name.substr(0, space) != first) continue;
      if (arguments_.size() > 1 && command.name.substr(space + 1) == arguments_[1]) {
        result_.command = &command;
        at_ = 2;
        return true;
      }
      seconds.push_back(command.name.substr(space + 1));
    }
    if (seconds.empty()) {
      return Wrong(fmt::format("unknown command `{}`{}; see `writ help`", ShownWord(first), Meant("", NearestName(first, names))));
    }
    return Wrong(fmt::format("`{}` needs one of: {}; see `writ help`", first, fmt::join(seconds, ", ")));
  }

  bool Read() {
    for (; at_ < arguments_.size(); ++at_) {
      const std::string_view argument = arguments_[at_];
      if (argument == "--") {
        result_.after_dashes = result_.operands.empty();
        TakeRest(at_ + 1);
        return true;
      }
      if (argument.starts_with("--")) {
        if (!ReadLong(argument.substr(2))) return false;
      } else if (argument.size() > 1 && argument[0] == '-') {
        if (!ReadLetters(argument.substr(1))) return false;
      } else if (result_.command && result_.command->takes_job) {
        TakeRest(at_);
        return true;
      } else {
        result_.operands.push_back(argument);
      }
    }
    return true;
  }

  void TakeRest(std::size_t from) {
    const auto rest = arguments_.subspan(from);
    result_.operands.insert(result_.operands.end(), rest.begin(), rest.end());
    at_ = arguments_.size();
  }

  bool ReadLong(std::string_view text) {
    const auto equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const Option* option = FindLong(name);
    if (!option) {
      std::vector<std::string_view> names;
      for (const auto& group : Groups()) {
        for (const auto& known : group.options) names.push_back(known.name);
      }
      return Wrong(fmt::format("unknown option `--{}`{}; {}", ShownWord(name), Meant("--", NearestName(name, names)), SeeHelp()));
    }
    if (option->kind == Kind::kFlag) {
      if (equals != std::string_view::npos) return Wrong(fmt::format("`--{}` takes no value; {}", name, SeeHelp()));
      result_.options.emplace_back(option, std::string_view{});
      return true;
    }
    if (equals != std::string_view::npos) return TakeValue(*option, text.substr(equals + 1));
    return TakeNext(*option);
  }

  /// A cluster such as `it`, whose last letter may take the rest (`n5`) or the next argument as its value.
  bool ReadLetters(std::string_view letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const Option* option = FindLetter(letters[i]);
      if (!option) return Wrong(fmt::format("unknown option `-{}`; {}", ShownWord(letters.substr(i, 1)), SeeHelp()));
      if (option->kind == Kind::kFlag) {
        result_.options.emplace_back(option, std::string_view{});
        continue;
      }
      return i + 1 < letters.size() ? TakeValue(*option, letters.substr(i + 1)) : TakeNext(*option);
    }
    return true;
  }

  bool TakeNext(const Option& option) {
    if (at_ + 1 >= arguments_.size()) {
      return Wrong(fmt::format("`--{}` needs a value: {}; {}", option.name, option.value, SeeHelp()));
    }
    return TakeValue(option, arguments_[++at_]);
  }

  bool TakeValue(const Option& option, std::string_view value) {
    if (value.empty()) {
      return Wrong(fmt::format("`--{}` was given an empty value, it needs {}; {}", option.name, option.value, SeeHelp()));
    }
    if (option.kind == Kind::kChoice && option.name != "tier") {  // tiers are judged by what this machine offers
      const std::string padded = fmt::format(" {} ", option.choices);
      if (value.find(' ') != std::string_view::npos || padded.find(fmt::format(" {} ", value)) == std::string::npos) {
        return Wrong(fmt::format("`--{}` is one of {}, not `{}`; {}", option.name, option.choices, ShownWord(value), SeeHelp()));
      }
    }
    result_.options.emplace_back(&option, value);
    return true;
  }

  bool CheckOperands() {
    if (result_.Has("help")) return true;
    if (!result_.command) {
      const bool pages = result_.Has("generate");
      if (result_.operands.size() > (pages ? 1u : 0u)) {
        return Wrong(fmt::format("unexpected `{}` after the options; see `writ --help`", ShownWord(result_.operands.back())));
      }
      return true;
    }
    // What is resumed brings its own command; the command says so when there is another.
    if (result_.command->takes_job && result_.operands.empty() && result_.Has("resume")) return true;
    const auto wanted = result_.command->operands;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const bool empty = i < result_.operands.size() && result_.operands[i].empty();
      if (i >= result_.operands.size() && !wanted[i].optional) {
        return Wrong(fmt::format("{} is missing; {}", wanted[i].name, SeeHelp()));
      }
      if (empty && !(result_.command->takes_job && i > 0)) {
        return Wrong(fmt::format("{} is empty; {}", wanted[i].name, SeeHelp()));
      }
    }
    const bool open_ended = !wanted.empty() && wanted.back().repeatable;
    if (!open_ended && result_.operands.size() > wanted.size()) {
      return Wrong(fmt::format("unexpected `{}`; {}", ShownWord(result_.operands[wanted.size()]), SeeHelp()));
    }
    return true;
  }

  /// Whether somebody who reads JSON is waiting for the answer to this wrong command line.
  bool AsksForJson() const {
    if (result_.Has("json")) return true;
    const auto options_end = std::find(arguments_.begin(), arguments_.end(), std::string_view("--"));
    return std::find(arguments_.begin(), options_end, std::string_view("--json")) != options_end;
  }

  std::span<const std::string_view> arguments_;
  std::size_t at_ = 0;
  Invocation result_;
  std::string problem_;
};

}  // namespace

bool Invocation::Has(std::string_view option) const {
  return std::ranges::any_of(options, [&](const auto& given) { return given.first->name == option; });
}

std::optional<std::string_view> Invocation::Value(std::string_view option) const {
  for (auto it = options.rbegin(); it != options.rend(); ++it) {
    if (it->first->name == option) return it->second;
  }
  return std::nullopt;
}

std::vector<std::string_view> Invocation::Values(std::string_view option) const {
  std::vector<std::string_view> values;
  for (const auto& [given, value] : options) {
    if (given->name == option) values.push_back(value);
  }
  return values;
}

std::expected<Invocation, UsageError> ParseCommandLine(std::span<const std::string_view> arguments) {
  return Parser(arguments).Parse();
}

}  // namespace writ::cli

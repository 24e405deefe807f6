#include "cli/completion.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/grammar.h"

namespace writ::cli {
namespace {

/// A word in single quotes for sh-like shells.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

/// First words of the commands, each once, in table order.
std::vector<std::string_view> FirstWords() {
  std::vector<std::string_view> words;
  for (const auto& command : Commands()) {
    const auto word = command.name.substr(0, command.name.find(' '));
    if (std::ranges::find(words, word) == words.end()) words.push_back(word);
  }
  return words;
}

std::vector<std::string_view> SecondWords(std::string_view first) {
  std::vector<std::string_view> words;
  for (const auto& command : Commands()) {
    const auto space = command.name.find(' ');
    if (space != std::string_view::npos && command.name.substr(0, space) == first) words.push_back(command.name.substr(space + 1));
  }
  return words;
}

Kind OperandKind(const Command& command) {
  return command.operands.empty() ? Kind::kFlag : command.operands.front().kind;
}

// ---- bash: a function per kind of value, a case per command --------------------------------------------------------

std::string BashValues(Kind kind, std::string_view choices) {
  switch (kind) {
    case Kind::kFile: return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    case Kind::kDirectory: return "COMPREPLY=($(compgen -d -- \"$cur\"))";
    case Kind::kRun: return "COMPREPLY=($(compgen -W \"$(_writ_runs)\" -- \"$cur\"))";
    case Kind::kRunOrFile: return "COMPREPLY=($(compgen -f -W \"$(_writ_runs)\" -- \"$cur\"))";
    case Kind::kChoice: return fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\"))", Quoted(choices));
    case Kind::kCommand: return fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\"))", Quoted(fmt::format("{}", fmt::join(FirstWords(), " "))));
    default: return "COMPREPLY=()";
  }
}

std::string BashCase(const Command& command) {
  std::string words, values;
  for (const auto& group : command.groups) {
    for (const auto& option : group.options) {
      words += fmt::format("--{} ", option.name);
      std::string pattern = fmt::format("--{}", option.name);
      if (option.letter) {
        words += fmt::format("-{} ", option.letter);
        pattern += fmt::format("|-{}", option.letter);
      }
      if (option.kind != Kind::kFlag) {
        values += fmt::format("        {}) {}; return ;;\n", pattern, BashValues(option.kind, option.choices));
      }
    }
  }
  std::string out = fmt::format("    {})\n", Quoted(command.name));
  if (!values.empty()) out += fmt::format("      case $prev in\n{}      esac\n", values);
  out += fmt::format("      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W {} -- \"$cur\")); return; fi\n", Quoted(words));
  if (command.takes_job) {
    out += "      COMPREPLY=($(compgen -c -- \"$cur\")) ;;\n";
  } else {
    out += fmt::format("      {} ;;\n", BashValues(OperandKind(command), ""));
  }
  return out;
}

// ---- zsh -----------------------------------------------------------------------------------------------------------

/// Text inside a specification of _arguments: brackets and colons have a meaning there.
std::string ZshText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string ZshAction(Kind kind, std::string_view choices) {
  switch (kind) {
    case Kind::kFile: return "_files";
    case Kind::kDirectory: return "_files -/";
    case Kind::kRun: return "_writ_runs";
    case Kind::kRunOrFile: return "_writ_runs_or_files";
    case Kind::kChoice: return fmt::format("({})", choices);
    case Kind::kCommand: return fmt::format("({})", fmt::join(FirstWords(), " "));
    default: return " ";
  }
}

std::string ZshArguments(const Command& command, std::string_view indent) {
  std::string out = fmt::format("{}_arguments -s -S", indent);
  for (const auto& group : command.groups) {
    for (const auto& option : group.options) {
      const std::string star = option.repeatable ? "*" : "";
      const std::string value =
          option.kind == Kind::kFlag ? "" : fmt::format(":{}:{}", ZshText(option.value), ZshAction(option.kind, option.choices));
      const auto spec = [&](std::string_view form) {
        out += fmt::format(" \\\n{}  {}", indent, Quoted(fmt::format("{}{}[{}]{}", star, form, ZshText(option.help), value)));
      };
      spec(fmt::format("--{}{}", option.name, option.kind == Kind::kFlag ? "" : "="));
      if (option.letter) spec(fmt::format("-{}", option.letter));
    }
  }
  if (command.takes_job) {
    out += fmt::format(" \\\n{}  '(-)1:command:_command_names -e' \\\n{}  '*::argument:_normal'", indent, indent);
  } else if (!command.operands.empty()) {
    const auto& operand = command.operands.front();
    out += fmt::format(" \\\n{}  {}", indent, Quoted(fmt::format("1:{}:{}", ZshText(operand.name), ZshAction(operand.kind, ""))));
  }
  return out + "\n";
}

// ---- fish ----------------------------------------------------------------------------------------------------------

std::string FishQuoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string FishValue(Kind kind, std::string_view choices) {
  switch (kind) {
    case Kind::kFlag: return "";
    case Kind::kFile: return " -r -F";
    case Kind::kDirectory: return " -x -a '(__fish_complete_directories)'";
    case Kind::kRun: return " -x -a '(__writ_runs)'";
    case Kind::kRunOrFile: return " -r -F -a '(__writ_runs)'";
    case Kind::kChoice: return fmt::format(" -x -a {}", FishQuoted(choices));
    default: return " -x";
  }
}

}  // namespace

std::string RenderBashCompletion() {
  std::string out =
      "# bash completion for writ\n"
      "_writ_runs() {\n"
      "  writ list -n 50 2>/dev/null | awk 'NR > 1 { print $1 }'\n"
      "}\n"
      "_writ() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
      "  COMPREPLY=()\n";
  out += fmt::format("  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W {} -- \"$cur\")); return; fi\n",
                     Quoted(fmt::format("{} --help --version", fmt::join(FirstWords(), " "))));
  out += "  case $command in\n";
  for (const auto first : FirstWords()) {
    const auto seconds = SecondWords(first);
    if (seconds.empty()) continue;
    out += fmt::format("    {}) if ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W {} -- \"$cur\")); return; fi\n"
                       "      command+=\" ${{COMP_WORDS[2]}}\" ;;\n",
                       first, Quoted(fmt::format("{}", fmt::join(seconds, " "))));
  }
  out += "  esac\n  case $command in\n";
  for (const auto& command : Commands()) out += BashCase(command);
  out += "  esac\n}\ncomplete -o filenames -o bashdefault -F _writ writ\n";
  return out;
}

std::string RenderZshCompletion() {
  std::string out =
      "#compdef writ\n"
      "_writ_runs() {\n"
      "  local -a runs\n"
      "  runs=(${(f)\"$(writ list -n 50 2>/dev/null | awk 'NR > 1 { print $1 }')\"})\n"
      "  compadd -a runs\n"
      "}\n"
      "_writ_runs_or_files() { _writ_runs; _files }\n"
      "_writ() {\n"
      "  if ((CURRENT == 2)); then\n"
      "    local -a commands=(";
  for (const auto first : FirstWords()) {
    const Command* command = FindCommand(first);
    out += fmt::format("\n      {}", Quoted(fmt::format("{}:{}", first, ZshText(command ? command->summary : "check or show a policy"))));
  }
  out += ")\n    _describe command commands\n    return\n  fi\n";
  out += "  local command=$words[2]\n  shift words; ((CURRENT--))\n  case $command in\n";
  for (const auto first : FirstWords()) {
    const auto seconds = SecondWords(first);
    out += fmt::format("    {})\n", first);
    if (seconds.empty()) {
      out += ZshArguments(*FindCommand(first), "      ");
    } else {
      out += fmt::format("      if ((CURRENT == 2)); then compadd {}; return; fi\n"
                         "      command=$words[2]\n      shift words; ((CURRENT--))\n      case $command in\n",
                         fmt::join(seconds, " "));
      for (const auto second : seconds) {
        out += fmt::format("        {})\n{}          ;;\n", second, ZshArguments(*FindCommand(fmt::format("{} {}", first, second)), "          "));
      }
      out += "      esac\n";
    }
    out += "      ;;\n";
  }
  out += "  esac\n}\n_writ \"$@\"\n";
  return out;
}

std::string RenderFishCompletion() {
  std::string out =
      "# fish completion for writ\n"
      "function __writ_runs\n"
      "  writ list -n 50 2>/dev/null | awk 'NR > 1 { print $1 }'\n"
      "end\n"
      "complete -c writ -f\n";
  for (const auto first : FirstWords()) {
    const Command* command = FindCommand(first);
    out += fmt::format("complete -c writ -n __fish_use_subcommand -a {} -d {}\n", first,
                       FishQuoted(command ? command->summary : "check or show a policy"));
    const auto seconds = SecondWords(first);
    if (!seconds.empty()) {
      out += fmt::format("complete -c writ -n '__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}' -a {}\n", first,
                         fmt::join(seconds, " "), FishQuoted(fmt::format("{}", fmt::join(seconds, " "))));
    }
  }
  for (const auto& command : Commands()) {
    const auto space = command.name.find(' ');
    std::string condition = fmt::format("__fish_seen_subcommand_from {}", command.name.substr(0, space));
    if (space != std::string_view::npos) condition += fmt::format("; and __fish_seen_subcommand_from {}", command.name.substr(space + 1));
    for (const auto& group : command.groups) {
      for (const auto& option : group.options) {
        out += fmt::format("complete -c writ -n {} -l {}{} -d {}{}\n", FishQuoted(condition), option.name,
                           option.letter ? fmt::format(" -s {}", option.letter) : "", FishQuoted(option.help),
                           FishValue(option.kind, option.choices));
      }
    }
    if (command.takes_job) {
      out += fmt::format("complete -c writ -n {} -a '(__fish_complete_subcommand)'\n", FishQuoted(condition));
    } else if (const auto value = FishValue(OperandKind(command), ""); value.find("-a") != std::string::npos) {
      out += fmt::format("complete -c writ -n {}{}\n", FishQuoted(condition), value);
    } else if (value.find("-F") != std::string::npos) {
      out += fmt::format("complete -c writ -n {} -F\n", FishQuoted(condition));
    }
  }
  return out;
}

}  // namespace writ::cli

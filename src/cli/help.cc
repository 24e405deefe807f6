#include "cli/help.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace writ::cli {
namespace {

/// Appends words of `text` from column `indent` on, breaking lines before `columns`. The caller has already written
/// `used` columns of the first line.
void AppendWrapped(std::string& out, std::string_view text, std::size_t indent, std::size_t used, std::size_t columns) {
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool first_of_line = used <= indent;
    if (!first_of_line && used + 1 + word.size() > columns) {
      out += '\n';
      used = 0;
    }
    if (used < indent) {
      out.append(indent - used, ' ');
      used = indent;
    } else if (!first_of_line && used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word.size();
  }
  out += '\n';
}

void AppendParagraphs(std::string& out, std::string_view text, std::size_t columns) {
  while (!text.empty()) {
    const auto end = text.find("\n\n");
    AppendWrapped(out, text.substr(0, end), 0, 0, columns);
    if (end == std::string_view::npos) return;
    out += '\n';
    text.remove_prefix(end + 2);
  }
}

struct Row {
  std::string left, right;
};

/// Two columns; a left side too wide for its column gets a line of its own.
void AppendRows(std::string& out, const std::vector<Row>& rows, std::size_t columns) {
  constexpr std::size_t kLeftMax = 28;
  std::size_t left = 0;
  for (const Row& row : rows) {
    if (row.left.size() <= kLeftMax) left = std::max(left, row.left.size());
  }
  for (const Row& row : rows) {
    out += "  " + row.left;
    std::size_t used = 2 + row.left.size();
    if (row.left.size() > left) {
      out += '\n';
      used = 0;
    }
    AppendWrapped(out, row.right, left + 4, used < left + 4 ? used : 0, columns);
  }
}

void AppendGroups(std::string& out, std::span<const OptionGroup> groups, std::size_t columns) {
  for (const auto& group : groups) {
    out += fmt::format("\n{}:\n", group.title);
    std::vector<Row> rows;
    for (const auto& option : group.options) {
      std::string text(option.help);
      if (!option.choices.empty()) text += fmt::format("; one of: {}", option.choices);
      if (!option.fallback.empty()) text += fmt::format(" (default: {})", option.fallback);
      if (option.repeatable) text += " (repeatable)";
      rows.push_back({OptionForms(option), std::move(text)});
    }
    AppendRows(out, rows, columns);
  }
}

void AppendPairs(std::string& out, std::string_view title, std::span<const ExitStatus> pairs, std::size_t columns) {
  if (pairs.empty()) return;
  out += fmt::format("\n{}:\n", title);
  std::vector<Row> rows;
  for (const auto& pair : pairs) rows.push_back({std::string(pair.code), std::string(pair.meaning)});
  AppendRows(out, rows, columns);
}

}  // namespace

std::string OptionForms(const Option& option) {
  std::string forms = option.letter ? fmt::format("-{}, --{}", option.letter, option.name) : fmt::format("--{}", option.name);
  if (!option.value.empty()) forms += fmt::format(" {}", option.value);
  return forms;
}

std::string Synopsis(const Command& command) {
  std::string text = fmt::format("writ {} [options]", command.name);
  if (command.takes_job) text += " [--]";
  for (const auto& operand : command.operands) {
    std::string shown(operand.name);
    if (operand.repeatable) shown += "...";
    text += operand.optional ? fmt::format(" [{}]", shown) : fmt::format(" {}", shown);
  }
  return text;
}

std::string RenderHelp(const Command& command, std::size_t columns) {
  std::string out = fmt::format("Usage: {}\n\n{}.\n\n", Synopsis(command), command.summary);
  AppendParagraphs(out, command.description, columns);
  AppendGroups(out, command.groups, columns);
  AppendPairs(out, "Exit status", command.statuses, columns);
  if (!command.examples.empty()) {
    out += "\nExamples:\n";
    for (const auto& example : command.examples) out += fmt::format("  {}\n      {}\n", example.command, example.says);
  }
  return out;
}

std::string RenderProgramHelp(std::size_t columns) {
  const Program& program = ProgramText();
  std::string out = fmt::format("Usage: {} COMMAND [options] [operands]\n\n", program.name);
  AppendParagraphs(out, program.description, columns);
  out += "\nCommands:\n";
  std::vector<Row> rows;
  for (const auto& command : Commands()) rows.push_back({std::string(command.name), std::string(command.summary)});
  AppendRows(out, rows, columns);
  AppendGroups(out, program.groups, columns);
  AppendPairs(out, "Environment", program.environment, columns);
  out += "\n`writ help COMMAND` shows all about a command. Run ids may be shortened, with or without `run_`.\n";
  return out;
}

}  // namespace writ::cli

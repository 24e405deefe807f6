#include "cli/man.h"

#include <algorithm>

#include "base/error.h"
#include "cli/help.h"

namespace writ::cli {
namespace {

/// Text for troff: backslashes and hyphens keep their meaning, and no line of the text becomes a request.
std::string Troff(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool line_start = i == 0 || text[i - 1] == '\n';
    if (line_start && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    switch (text[i]) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      default: out += text[i];
    }
  }
  return out;
}

std::string Dashed(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, ' ', '-');
  return out;
}

std::string Head(std::string_view page, std::string_view summary) {
  std::string title(page);
  for (char& c : title) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return fmt::format(".TH {} 1 \"\" \"writ {}\" \"Writ\"\n.SH NAME\n{} \\- {}\n", Troff(title), ProgramText().version,
                     Troff(page), Troff(summary));
}

void AppendParagraphs(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find("\n\n");
    out += Troff(text.substr(0, end)) + "\n";
    if (end == std::string_view::npos) return;
    out += ".PP\n";
    text.remove_prefix(end + 2);
  }
}

void AppendTerm(std::string& out, std::string_view term, std::string_view text) {
  out += fmt::format(".TP\n.B {}\n{}\n", Troff(term), Troff(text));
}

void AppendGroups(std::string& out, std::span<const OptionGroup> groups) {
  out += ".SH OPTIONS\n";
  for (const auto& group : groups) {
    if (groups.size() > 1) out += fmt::format(".SS {}\n", Troff(group.title));
    for (const auto& option : group.options) {
      std::string text = fmt::format("{}.", option.help);
      if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
      if (!option.choices.empty()) text += fmt::format(" One of: {}.", option.choices);
      if (!option.fallback.empty()) text += fmt::format(" Default: {}.", option.fallback);
      if (option.repeatable) text += " May be given several times.";
      AppendTerm(out, OptionForms(option), text);
    }
  }
}

void AppendPairs(std::string& out, std::string_view title, std::span<const ExitStatus> pairs) {
  if (pairs.empty()) return;
  out += fmt::format(".SH {}\n", title);
  for (const auto& pair : pairs) AppendTerm(out, pair.code, fmt::format("{}.", pair.meaning));
}

void AppendSeeAlso(std::string& out, std::string_view names) {
  out += ".SH SEE ALSO\n.BR writ (1)";
  while (!names.empty()) {
    const auto end = std::min(names.find(' '), names.size());
    out += fmt::format(",\n.BR writ\\-{} (1)", Troff(names.substr(0, end)));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  out += '\n';
}

}  // namespace

std::string ManPageName(const Command& command) { return fmt::format("writ-{}.1", Dashed(command.name)); }

std::string RenderManPage(const Command& command) {
  std::string out = Head(fmt::format("writ-{}", Dashed(command.name)), command.summary);
  out += fmt::format(".SH SYNOPSIS\n.B {}\n.SH DESCRIPTION\n", Troff(Synopsis(command)));
  AppendParagraphs(out, command.description);
  AppendGroups(out, command.groups);
  AppendPairs(out, "EXIT STATUS", command.statuses);
  if (!command.examples.empty()) {
    out += ".SH EXAMPLES\n";
    for (const auto& example : command.examples) {
      std::string says = fmt::format("{}:", example.says);
      if (says[0] >= 'a' && says[0] <= 'z') says[0] = static_cast<char>(says[0] - 'a' + 'A');
      out += fmt::format("{}\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n.PP\n", Troff(says), Troff(example.command));
    }
  }
  AppendPairs(out, "ENVIRONMENT", ProgramText().environment);
  AppendSeeAlso(out, command.see_also);
  return out;
}

std::string RenderProgramManPage() {
  const Program& program = ProgramText();
  std::string out = Head(program.name, program.summary);
  out += ".SH SYNOPSIS\n.B writ COMMAND [options] [operands]\n.SH DESCRIPTION\n";
  AppendParagraphs(out, program.description);
  out += ".SH COMMANDS\n";
  for (const auto& command : Commands()) AppendTerm(out, command.name, fmt::format("{}.", command.summary));
  AppendGroups(out, program.groups);
  AppendPairs(out, "ENVIRONMENT", program.environment);
  AppendPairs(out, "FILES", program.files);
  out += ".SH SEE ALSO\n";
  for (const auto& command : Commands()) {
    const bool last = &command == &Commands().back();
    out += fmt::format(".BR writ\\-{} (1){}\n", Troff(Dashed(command.name)), last ? "" : ",");
  }
  return out;
}

}  // namespace writ::cli

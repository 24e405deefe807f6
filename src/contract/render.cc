#include "contract/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/clock.h"
#include "base/escape.h"
#include "base/units.h"
#include "contract/evidence_text.h"
#include "contract/extension.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kColumns = 80, kIndent = 10, kWidth = kColumns - kIndent;
constexpr std::size_t kListed = 4;            // items of a list before "and N more"
constexpr std::size_t kProblemsListed = 20, kWarningsListed = 3;
constexpr std::size_t kWordLines = 6;

const Json* MemberOf(const Json* object, std::string_view name) { return object == nullptr ? nullptr : object->Find(name); }

const Json::Array& ItemsOf(const Json* object, std::string_view name) {
  static const Json::Array none;
  const Json* items = MemberOf(object, name);
  return items != nullptr && items->is_array() ? items->array() : none;
}

std::string ActorText(const Json* actor) { return fmt::format("{} {}", TextOf(actor, "kind"), TextOf(actor, "id")); }

double NumberOf(const Json* object, std::string_view name, double otherwise) {
  const Json* number = MemberOf(object, name);
  return number != nullptr && number->is_number() ? number->number() : otherwise;
}

std::string SizeText(const Json* object, std::string_view name) {
  const double bytes = NumberOf(object, name, -1);
  if (!(bytes >= 0 && bytes <= 9e15)) return "? bytes";
  return bytes < 1024 ? fmt::format("{} bytes", bytes) : fmt::format("{}B", FormatSize(static_cast<std::uint64_t>(bytes)));
}

/// The lines below one heading; each is escaped and cut to its width.
class Section {
 public:
  explicit Section(std::string_view title) : title_(title) {}
  void Line(std::string_view text) {
    out_ += fmt::format("{:<{}}{}\n", out_.empty() ? title_ : "", kIndent, EscapeVisible(text, kWidth));
  }
  /// `label: a, b, c and 5 more`, or nothing for an empty list.
  template <class Items, class Word>
  void List(std::string_view label, const Items& items, Word word) {
    if (items.empty()) return;
    std::string text = fmt::format("{}: ", label);
    for (std::size_t i = 0; i < std::min(items.size(), kListed); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", word(items[i]));
    if (items.size() > kListed) {
      const std::string more = fmt::format(" and {} more", items.size() - kListed);
      text = EscapeVisible(text, kWidth - more.size());
      out_ += fmt::format("{:<{}}{}{}\n", out_.empty() ? title_ : "", kIndent, text, more);
      return;
    }
    Line(text);
  }
  /// `label word word ...` over as many lines as it takes, up to kWordLines.
  void Words(std::string_view label, const std::vector<std::string>& words) {
    std::string line(label);
    std::size_t lines = 1;
    for (const std::string& word : words) {
      if (line.size() + 1 + word.size() > kWidth && lines < kWordLines) {
        Line(line);
        line = " ";
        ++lines;
      }
      line += " " + word;
    }
    Line(line);
  }
  const std::string& text() const { return out_; }

 private:
  std::string_view title_;
  std::string out_;
};

std::string Who(const Json* contract, const Json* receipt) {
  Section section("who");
  const std::string_view identity = TextOf(MemberOf(contract, kExtension), "identity");
  section.Line(fmt::format("{} asked{}{}", ActorText(MemberOf(contract, "requestedBy")), identity.empty() ? "" : ", as ", identity));
  section.List("approved by", ItemsOf(contract, "approvedBy"), [](const Json& actor) { return ActorText(&actor); });
  section.Line(fmt::format("keys: plane {}, runner {}", TextOf(MemberOf(contract, "issuer"), "keyId"),
                           TextOf(MemberOf(receipt, "runner"), "keyId")));
  return section.text();
}

/// The command as one line; prompts and scripts keep their line ends as visible escapes.
std::string CommandText(const Json* contract) {
  const Json* execution = MemberOf(contract, "execution");
  const std::string_view kind = TextOf(execution, "kind");
  if (kind == "shell") return fmt::format("shell: {}", TextOf(execution, "script"));
  if (kind == "agent") return fmt::format("agent {}: {}", TextOf(MemberOf(execution, "agent"), "kind"), TextOf(execution, "prompt"));
  std::string text = fmt::format("argv: {}", TextOf(execution, "command"));
  for (const Json& argument : ItemsOf(execution, "args")) {
    if (text.size() > 4 * kColumns) break;
    text += fmt::format(" {}", argument.is_string() ? argument.string() : "?");
  }
  return text;
}

std::string Asked(const Json* contract) {
  Section section("asked");
  section.Line(CommandText(contract));
  const Json* writ = MemberOf(contract, kExtension);
  const Json* limits = MemberOf(writ, "limits");
  const std::string_view isolation = TextOf(contract, "isolation");
  const std::string_view tier = writ != nullptr ? TextOf(writ, "tier") : isolation.empty() ? "process" : isolation;
  section.Line(fmt::format("pool {}, tier {}, policy {}", TextOf(MemberOf(contract, "runner"), "pool"), tier, ShortHash(TextOf(contract, "policyHash"))));
  if (limits != nullptr) {
    section.Line(fmt::format("limits {:.1f} s, {:.1f} s cpu, {} memory, {} tasks, {} disk", NumberOf(limits, "wallTimeMs", 0) / 1000,
                             NumberOf(limits, "cpuTimeMs", 0) / 1000, SizeText(limits, "memoryBytes"), NumberOf(limits, "pids", 0),
                             SizeText(limits, "diskBytes")));
  }
  return section.text();
}

/// What the contract lets it connect to.
void AddEgress(Section& section, const Json* contract) {
  const Json* egress = MemberOf(MemberOf(contract, kExtension), "egress");
  if (egress == nullptr) return;
  const Json* open = egress->Find("open");
  if (open != nullptr && *open == Json(true)) section.Line("may connect to every public host");
  section.List("may connect to", ItemsOf(egress, "rules"), [](const Json& rule) { return rule.is_string() ? rule.string() : "?"; });
  if (egress->Find("budgetBytes") != nullptr) section.Line(fmt::format("network budget {}", SizeText(egress, "budgetBytes")));
}

/// `host:port`; IPv6 addresses in brackets.
std::string EndpointText(const Json& use) {
  const std::string_view host = TextOf(&use, "host");
  const bool brackets = host.find(':') != host.npos;
  return fmt::format("{}{}{}:{:.0f}", brackets ? "[" : "", host, brackets ? "]" : "", NumberOf(&use, "port", 0));
}

/// What became of its connections.
void AddHosts(Section& section, const Json* writ) {
  std::vector<std::string> reached, refused;
  for (const Json& use : ItemsOf(writ, "network")) {
    const double connections = NumberOf(&use, "connections", 0), denied = NumberOf(&use, "refused", 0);
    if (connections > 0) {
      reached.push_back(fmt::format("{} ({:.0f}x, {} in, {} out{})", EndpointText(use), connections, SizeText(&use, "bytesIn"),
                                    SizeText(&use, "bytesOut"), ItemsOf(&use, "intercepted").empty() ? "" : ", read inside TLS"));
    }
    if (denied > 0) refused.push_back(fmt::format("{} ({:.0f}x)", EndpointText(use), denied));
  }
  section.List("reached", reached, [](const std::string& text) { return text; });
  section.List("refused", refused, [](const std::string& text) { return text; });
  if (const double more = NumberOf(writ, "networkMore", 0); more > 0) section.Line(fmt::format("and {:.0f} more hosts", more));
}

std::string Saw(const Json* contract, const Json* receipt) {
  Section section("saw");
  const Json* workspace = MemberOf(contract, "workspace");
  const std::string_view base = TextOf(workspace, "baseRef");
  const std::size_t files = ItemsOf(workspace, "untrackedFiles").size();
  section.Line(fmt::format("workspace: {}{}, {} more files, {} paths kept out", base == "none" ? "no commit" : "commit ",
                           base == "none" ? std::string_view() : ShortHash(base), files, ItemsOf(workspace, "deniedPaths").size()));
  const Json* writ = MemberOf(contract, kExtension);
  section.List("inputs", ItemsOf(writ, "inputs"), [](const Json& i) { return fmt::format("{} ({})", TextOf(&i, "name"), SizeText(&i, "bytes")); });
  const auto& secrets = ItemsOf(receipt, "secretsReleased");
  if (secrets.empty()) section.Line("secrets: none");
  section.List("secrets", secrets, [](const Json& s) { return fmt::format("{} ({})", TextOf(&s, "name"), TextOf(&s, "scope")); });
  AddEgress(section, contract);
  const auto& network = ItemsOf(receipt, "networkAccessed");
  if (network.empty()) section.Line("network: nothing reached, nothing tried");
  section.List("network", network, [](const Json& n) { return fmt::format("{} {}", TextOf(&n, "host"), TextOf(&n, "decision")); });
  return section.text();
}

std::string EndText(const Json* receipt) {
  const Json* writ = MemberOf(receipt, kExtension);
  const Json* termination = MemberOf(writ, "termination");
  std::string text(TextOf(receipt, "status"));
  if (termination != nullptr) {
    text += fmt::format(", {}", TextOf(termination, "how"));
    const double code = NumberOf(termination, "code", -1);
    if (code >= 0) text += fmt::format(" {}", code);
    if (const auto message = TextOf(termination, "message"); !message.empty()) text += fmt::format(" ({})", message);
  }
  return text;
}

std::string Happened(const Json* receipt, const Json* events) {
  Section section("happened");
  section.Line(EndText(receipt));
  const std::string_view started = TextOf(receipt, "startedAt");
  const auto from = ParseTimestamp(started), to = ParseTimestamp(TextOf(receipt, "endedAt"));
  section.Line(from && to ? fmt::format("{}, {:.3f} s by the wall clock", started, static_cast<double>((*to - *from).count()) / 1000)
                          : std::string("times that cannot be read"));
  const Json* writ = MemberOf(receipt, kExtension);
  if (const Json* use = MemberOf(writ, "use")) {
    std::string text = fmt::format("used {:.3f} s", NumberOf(use, "wallUs", 0) / 1e6);
    if (use->Find("cpuUserUs") != nullptr) {
      text += fmt::format(", {:.3f} s cpu", (NumberOf(use, "cpuUserUs", 0) + NumberOf(use, "cpuSystemUs", 0)) / 1e6);
    }
    if (use->Find("memoryPeakBytes") != nullptr) text += fmt::format(", {} at most", SizeText(use, "memoryPeakBytes"));
    section.Line(text + fmt::format(", {} + {} written", SizeText(use, "stdoutBytes"), SizeText(use, "stderrBytes")));
  }
  AddHosts(section, writ);
  if (const Json* enforced = MemberOf(writ, "enforced"); enforced != nullptr && enforced->is_object()) {
    std::vector<std::string> words;
    for (const auto& [limit, mechanism] : enforced->object())
      words.push_back(fmt::format("{}={}", limit, mechanism.is_string() ? mechanism.string() : "?"));
    section.Words("enforced", words);
  }
  const std::size_t count = events != nullptr && events->is_array() ? events->array().size() : 0;
  section.Line(fmt::format("{} events, head {}", count, ShortHash(TextOf(receipt, "eventsHead"))));
  return section.text();
}

std::string Changed(const Json* receipt, const Json* events) {
  Section section("changed");
  std::vector<std::string_view> paths;
  if (events != nullptr && events->is_array()) {
    for (const Json& entry : events->array()) {
      const Json* event = entry.Find("event");
      if (TextOf(event, "type") == "file.changed") paths.push_back(TextOf(event, "path"));
    }
  }
  section.List(fmt::format("{} file{}", paths.size(), paths.size() == 1 ? "" : "s"), paths, [](std::string_view path) { return path; });
  const Json* writ = MemberOf(receipt, kExtension);
  section.List("outputs", ItemsOf(writ, "outputs"), [](const Json& o) { return fmt::format("{} ({})", TextOf(&o, "name"), SizeText(&o, "bytes")); });
  section.List("not released", ItemsOf(writ, "undeclared"), [](const Json& o) { return TextOf(&o, "name"); });
  section.List("missing", ItemsOf(writ, "missing"), [](const Json& o) { return o.is_string() ? o.string() : "?"; });
  const std::string_view diff = TextOf(MemberOf(receipt, "workspaceOut"), "diffHash");
  if (!diff.empty()) section.Line(fmt::format("diff {}", diff));
  if (section.text().empty()) section.Line("nothing");
  return section.text();
}

}  // namespace

std::string VerdictLine(const Json& bundle, const Verification& verification) {
  if (!verification.ok()) {
    return fmt::format("NOT VALID: {} problem{}", verification.problems.size(), verification.problems.size() == 1 ? "" : "s");
  }
  const Json* receipt = bundle.Find("receipt");
  return fmt::format("{}: {}, {}", verification.pinned ? "VERIFIED" : "consistent, keys not pinned",
                     EscapeVisible(TextOf(receipt, "runId"), 42), EscapeVisible(TextOf(receipt, "status"), 10));
}

std::string RenderStory(const Json& bundle, const Verification& verification) {
  std::string out = VerdictLine(bundle, verification) + "\n";
  const auto& problems = verification.problems;
  for (std::size_t i = 0; i < std::min(problems.size(), kProblemsListed); ++i) {
    out += fmt::format("  - {}\n", EscapeVisible(problems[i], kColumns - 4));
  }
  if (problems.size() > kProblemsListed) out += fmt::format("  and {} more\n", problems.size() - kProblemsListed);
  const auto& warnings = verification.warnings;
  for (std::size_t i = 0; i < std::min(warnings.size(), kWarningsListed); ++i) {
    out += fmt::format("  note: {}\n", EscapeVisible(warnings[i], kColumns - 8));
  }
  if (warnings.size() > kWarningsListed) out += fmt::format("  note: and {} more\n", warnings.size() - kWarningsListed);
  const Json *contract = bundle.Find("contract"), *receipt = bundle.Find("receipt"), *events = bundle.Find("events");
  if (contract == nullptr || receipt == nullptr || !contract->is_object() || !receipt->is_object()) return out;
  if (!verification.ok()) out += "what it claims, none of which can be relied on:\n";
  return out + Who(contract, receipt) + Asked(contract) + Saw(contract, receipt) + Happened(receipt, events) + Changed(receipt, events);
}

Json ToJson(const Verification& verification) {
  return Json::Of({{"ok", verification.ok()},
                   {"pinned", verification.pinned},
                   {"problems", Json::Array(verification.problems.begin(), verification.problems.end())},
                   {"warnings", Json::Array(verification.warnings.begin(), verification.warnings.end())}});
}

}  // namespace writ::contract

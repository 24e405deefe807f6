#include "contract/approval_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "base/escape.h"
#include "base/utf8.h"
#include "contract/evidence_text.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kScreenColumns = 100, kScreenIndent = 2, kNameColumns = 26;
constexpr std::size_t kBlanksShown = 3;        // a longer run is counted
constexpr std::size_t kListedMax = 1000;       // elements of one list; the rest is counted
constexpr std::size_t kCodePointsNamed = 8;

/// Escaped bytes of one line of text: never a line end, never a long run of blanks.
std::string VisibleBlanks(std::string_view text) {
  const std::string escaped = EscapeVisible(text);
  std::string out;
  for (std::size_t i = 0; i < escaped.size();) {
    if (escaped[i] == '"') {
      out += "\\\"", ++i;
      continue;
    }
    if (escaped[i] != ' ') {
      out += escaped[i++];
      continue;
    }
    const std::size_t end = std::min(escaped.find_first_not_of(' ', i), escaped.size());
    const std::size_t count = end - i;
    out += count <= kBlanksShown ? std::string(count, ' ') : fmt::format("\\{{{} blanks}}", count);
    i = end;
  }
  return out;
}

/// Cuts a line into pieces that fit, at code points.
std::vector<std::string> Wrap(std::string_view line, std::size_t columns) {
  std::vector<std::string> pieces;
  std::string piece;
  std::size_t width = 0;
  for (std::size_t i = 0; i < line.size();) {
    const auto step = DecodeUtf8(line, i);
    if (width == columns) pieces.push_back(std::move(piece)), piece.clear(), width = 0;
    piece += line.substr(i, step.bytes);
    ++width;
    i += step.bytes;
  }
  pieces.push_back(std::move(piece));
  return pieces;
}

class Screen {
 public:
  void Heading(std::string_view text) { out_ += fmt::format("{}{}\n", out_.empty() ? "" : "\n", text); }

  /// `name  text`, wrapped below itself. Both are safe to show.
  void Row(std::string_view name, std::string_view text) {
    const std::size_t name_width = Utf16Length(name);
    std::string head = std::string(kScreenIndent, ' ') + std::string(name);
    const std::size_t at = kScreenIndent + kNameColumns;
    if (name_width + 1 > kNameColumns) {
      for (const auto& piece : Wrap(name, kScreenColumns - kScreenIndent)) out_ += std::string(kScreenIndent, ' ') + piece + "\n";
      head = std::string(at, ' ');
    } else {
      head.append(kNameColumns - name_width, ' ');
    }
    for (const auto& piece : Wrap(text, kScreenColumns - at)) {
      out_ += head + piece + "\n";
      head = std::string(at, ' ');
    }
  }
  void Note(std::string_view text) {
    if (!text.empty()) Row("", fmt::format("! {}", text));
  }
  /// A line that begins with a sign, wrapped.
  void Sign(std::string_view text) {
    std::string head(kScreenIndent, ' ');
    for (const auto& piece : Wrap(text, kScreenColumns - kScreenIndent)) {
      out_ += head + piece + "\n";
      head = std::string(kScreenIndent + 2, ' ');
    }
  }

  void Text(std::string_view name, std::string_view text) {
    if (text.find('\n') == std::string_view::npos) {
      Row(name, QuoteVisible(text));
    } else {
      Lines(name, text);
    }
    Note(NotAsciiNote(text));
  }

  std::string Take() { return std::move(out_); }

 private:
  /// A text of several lines, numbered; empty ones are counted.
  void Lines(std::string_view name, std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t start = 0; start <= text.size();) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      lines.push_back(text.substr(start, end - start));
      start = end + 1;
    }
    Row(name, fmt::format("({} lines)", lines.size()));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      std::size_t empty = 0;
      while (i + empty < lines.size() && lines[i + empty].empty()) ++empty;
      if (empty > 1) {
        Row("", fmt::format("{:>4}|  ({} empty lines)", i + 1, empty));
        i += empty - 1;
      } else {
        Row("", fmt::format("{:>4}| {}", i + 1, QuoteVisible(lines[i])));
      }
    }
  }

  std::string out_;
};

const Json::Array& ItemsOf(const Json& object, std::string_view name) {
  static const Json::Array none;
  const Json* items = object.Find(name);
  return items != nullptr && items->is_array() ? items->array() : none;
}

std::string Plain(const Json& value) { return value.is_string() ? QuoteVisible(value.string()) : EscapeVisible(canon::Compact(value)); }

std::string Joined(const Json::Array& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + (item.is_string() ? VisibleBlanks(item.string()) : Plain(item));
  return text;
}

std::string VisibleActor(const Json* actor) {
  if (actor == nullptr) return "nobody named";
  std::string text = fmt::format("{} {}", VisibleBlanks(TextOf(*actor, "kind")), QuoteVisible(TextOf(*actor, "id")));
  if (const auto note = NotAsciiNote(TextOf(*actor, "id")); !note.empty()) text += fmt::format(" ({})", note);
  return text;
}

/// One line per value; an object of plain values in a list is one line.
void Flatten(Screen& screen, const std::string& path, const Json& value, std::size_t depth) {
  if (value.is_string()) return screen.Text(path, value.string());
  const bool empty = (value.is_array() && value.array().empty()) || (value.is_object() && value.object().empty());
  if (empty) return screen.Row(path, value.is_array() ? "none" : "(nothing)");
  if (depth > 24 || !(value.is_array() || value.is_object())) return screen.Row(path, EscapeVisible(canon::Compact(value)));
  if (value.is_object()) {
    for (const auto& [name, member] : value.object()) Flatten(screen, path + "." + VisibleBlanks(name), member, depth + 1);
    return;
  }
  const auto& items = value.array();
  for (std::size_t i = 0; i < std::min(items.size(), kListedMax); ++i) {
    Flatten(screen, fmt::format("{}[{}]", path, i), items[i], depth + 1);
  }
  if (items.size() > kListedMax) {
    screen.Note(fmt::format("{} more of {} are not printed here; --json has all of them", items.size() - kListedMax, path));
  }
}

/// What is looked at first stands first; whatever else there is follows.
constexpr std::array<std::string_view, 10> kOrder = {"execution", "agent",     "secrets", "network",   "writ",
                                                     "isolation", "runner",    "budget",  "workspace", "requestedBy"};

void ShowRequest(Screen& screen, const Json& request) {
  screen.Heading("What will run");
  const auto show = [&](std::string_view name, const Json& value) {
    if (name == "task" && value.Find("prompt") != nullptr && value.object().size() == 1) {
      const Json* execution = request.Find("execution");
      const std::string_view prompt = TextOf(value, "prompt");
      if (execution != nullptr) {
        for (const std::string_view same : {"script", "prompt"}) {
          if (!prompt.empty() && TextOf(*execution, same) == prompt) {
            return screen.Row("task.prompt", fmt::format("the same text as execution.{}", same));
          }
        }
      }
    }
    Flatten(screen, VisibleBlanks(name), value, 0);
  };
  for (const auto name : kOrder) {
    if (const Json* member = request.Find(name)) show(name, *member);
  }
  if (!request.is_object()) return screen.Row("request", Plain(request));
  for (const auto& [name, member] : request.object()) {
    if (std::ranges::find(kOrder, std::string_view(name)) == kOrder.end()) show(name, member);
  }
}

void ShowRequirements(Screen& screen, const Json& approval) {
  for (const Json& one : ItemsOf(approval, "requirements")) {
    const Json* required = one.Find("required");
    const Json* not_requester = one.Find("notRequester");
    const auto& given = ItemsOf(one, "given");
    const auto& approvers = ItemsOf(one, "approvers");
    std::string text = fmt::format("{}: {} of {}", VisibleBlanks(TextOf(one, "requirement")),
                                   required != nullptr ? Plain(*required) : "1",
                                   approvers.empty() ? "nobody (no approver is named)" : Joined(approvers));
    if (not_requester != nullptr && not_requester->is_bool() && not_requester->boolean()) text += ", not the requester";
    screen.Row("needs", text);
    for (const Json& actor : given) screen.Row("  given by", VisibleActor(&actor));
  }
}

}  // namespace

std::string QuoteVisible(std::string_view text) { return "\"" + VisibleBlanks(text) + "\""; }

std::string NotAsciiNote(std::string_view text) {
  std::vector<char32_t> order;
  std::set<char32_t> known;
  bool broken = false;
  for (std::size_t i = 0; i < text.size();) {
    const auto step = DecodeUtf8(text, i);
    i += step.bytes;
    if (!step.valid) broken = true;
    if (step.valid && step.code > 0x7E && known.insert(step.code).second) order.push_back(step.code);
  }
  std::string note;
  if (!order.empty()) {
    note = "not ASCII:";
    for (std::size_t i = 0; i < std::min(order.size(), kCodePointsNamed); ++i)
      note += fmt::format(" U+{:04X}", static_cast<std::uint32_t>(order[i]));
    if (order.size() > kCodePointsNamed) note += fmt::format(" and {} more", order.size() - kCodePointsNamed);
  }
  if (broken) note += fmt::format("{}bytes that are not UTF-8", note.empty() ? "" : "; ");
  const auto encoded = text.find("xn--");
  if (encoded != std::string_view::npos && (encoded == 0 || text[encoded - 1] == '.') &&
      text.find_first_of(" /\n") == std::string_view::npos) {
    note += fmt::format("{}xn-- stands for characters that are not ASCII", note.empty() ? "" : "; ");
  }
  return note;
}

std::string RenderDifference(const Json& difference) {
  Screen screen;
  const std::string_view since = TextOf(difference, "since");
  if (since.empty()) {
    screen.Sign("Nothing like it was approved before: all of the above is new.");
    return screen.Take();
  }
  screen.Sign(fmt::format("since run {} was approved{}{}:", VisibleBlanks(since),
                          TextOf(difference, "sinceAt").empty() ? "" : " on ", VisibleBlanks(TextOf(difference, "sinceAt"))));
  bool any = false;
  for (const Json& change : ItemsOf(difference, "changes")) {
    const std::string_view kind = TextOf(change, "change");
    const Json* before = change.Find("before");
    const Json* after = change.Find("after");
    const std::string what = VisibleBlanks(TextOf(change, "what"));
    if (kind == "added" && after != nullptr) {
      screen.Sign(fmt::format("+ {} {}", what, Plain(*after)));
    } else if (kind == "removed" && before != nullptr) {
      screen.Sign(fmt::format("- {} {}", what, Plain(*before)));
    } else {
      screen.Sign(fmt::format("~ {}: {} -> {}", what, before == nullptr ? "none" : Plain(*before),
                              after == nullptr ? "none" : Plain(*after)));
    }
    for (const Json* value : {after, before}) {
      if (value == nullptr || !value->is_string()) continue;
      if (const auto note = NotAsciiNote(value->string()); !note.empty()) screen.Sign("  ! " + note);
    }
    any = true;
  }
  if (const Json* more = difference.Find("more")) screen.Sign(fmt::format("and {} more changes", Plain(*more)));
  if (!any) screen.Sign("no change");
  return screen.Take();
}

std::string RenderApproval(const Json& approval) {
  Screen screen;
  static const Json nothing = Json::MakeObject();
  const Json* request = approval.Find("request");
  screen.Heading(fmt::format("Run {} waits for approval", VisibleBlanks(TextOf(approval, "runId"))));
  screen.Row("asked by", VisibleActor((request != nullptr ? request : &nothing)->Find("requestedBy")));
  if (const auto principal = TextOf(approval, "principal"); !principal.empty())
    screen.Row("  known as", QuoteVisible(principal));
  screen.Row("asked at", VisibleBlanks(TextOf(approval, "createdAt")));
  screen.Row("answer until", VisibleBlanks(TextOf(approval, "expiresAt")));
  ShowRequirements(screen, approval);
  screen.Row("digest", VisibleBlanks(TextOf(approval, "digest")));
  screen.Row("policy", VisibleBlanks(TextOf(approval, "policyHash")));
  ShowRequest(screen, request != nullptr ? *request : nothing);
  screen.Heading("Difference in authority");
  const Json* difference = approval.Find("difference");
  return screen.Take() + RenderDifference(difference != nullptr ? *difference : nothing);
}

std::string RenderApprovalLine(const Json& approval) {
  static const Json nothing = Json::MakeObject();
  const Json* request = approval.Find("request");
  const Json& asked = request != nullptr ? *request : nothing;
  const Json* agent = asked.Find("agent");
  const Json* actor = asked.Find("requestedBy");
  const Json* task = asked.Find("task");
  std::string needs;
  for (const Json& one : ItemsOf(approval, "requirements")) needs += (needs.empty() ? "" : "; ") + std::string(TextOf(one, "requirement"));
  return fmt::format("{}  {}  {}  {}  [{}]  until {}", EscapeVisible(TextOf(approval, "runId"), 48),
                     EscapeVisible(actor != nullptr ? TextOf(*actor, "id") : "", 24),
                     EscapeVisible(agent != nullptr ? TextOf(*agent, "kind") : "", 16),
                     EscapeVisible(task != nullptr ? TextOf(*task, "prompt") : "", 60), EscapeVisible(needs, 60),
                     EscapeVisible(TextOf(approval, "expiresAt"), 24));
}

}  // namespace writ::contract
